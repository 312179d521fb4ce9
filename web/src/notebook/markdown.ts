// Markdown as elements. markdown-it reads it, and the page's one maker of elements makes them of its tokens, so
// markup in it is text, links go to web pages only, and nothing is loaded from elsewhere.
import MarkdownIt from "markdown-it";
import { h } from "../dom";

const LONGEST = 200_000;
const DEEPEST = 100; // what is nested deeper is left out

const reader = new MarkdownIt({ html: false, linkify: false, maxNesting: DEEPEST });
type Token = ReturnType<typeof reader.parse>[number];

// Formulas stay as they are written: what looks like Markdown in them is none.
reader.inline.ruler.before("escape", "formula", (state, silent) => {
  const { src, pos } = state;
  if (src[pos] !== "$") return false;
  const mark = src[pos + 1] === "$" ? "$$" : "$";
  const end = src.indexOf(mark, pos + mark.length);
  const inner = end < 0 ? "" : src.slice(pos + mark.length, end);
  if (inner.trim() === "" || end >= state.posMax) return false;
  if (mark === "$" && inner !== inner.trim()) return false; // two prices
  if (!silent) state.push("formula", "code", 0).content = mark + inner + mark;
  state.pos = end + mark.length;
  return true;
});

// A link's element, or of an address that nobody may go to a plain one.
function link(address: string, words = ""): HTMLElement {
  if (!/^(https?:\/\/|mailto:)/i.test(address)) return h("span", {}, words);
  return h(
    "a",
    { href: address, class: "outside", target: "_blank", rel: "noopener noreferrer" },
    words,
  );
}

// A picture from elsewhere would tell who looks at it: its words and its link stand instead.
function picture(token: Token, isInLink: boolean): HTMLElement {
  const address = String(token.attrGet("src"));
  return link(isInLink ? "" : address, `picture: ${token.content || address.slice(0, 80)}`);
}

function opened(token: Token): HTMLElement {
  switch (token.type) {
    case "link_open":
      return link(String(token.attrGet("href")));
    case "heading_open":
      // The page's own heading is the first of all.
      return h(`h${Math.min(6, Number(token.tag[1]) + 1)}` as "h2");
    case "ordered_list_open":
      return h("ol", { start: token.attrGet("start") });
    case "th_open":
      return h("th", { scope: "col", style: token.attrGet("style") });
    case "td_open":
      return h("td", { style: token.attrGet("style") });
    default:
      return h(token.tag as keyof HTMLElementTagNameMap);
  }
}

function single(token: Token, place: Element): Node | string {
  switch (token.type) {
    case "hardbreak":
      return h("br");
    case "softbreak":
      return "\n";
    case "hr":
      return h("hr");
    case "image":
      return picture(token, place.closest("a") !== null);
    case "code_inline":
      return h("code", {}, token.content);
    case "formula":
      return h("code", { class: "formula" }, token.content);
    case "fence":
    case "code_block":
      return h(
        "pre",
        { tabindex: 0, role: "group", "aria-label": "Code" },
        h("code", {}, token.content.replace(/\n$/, "")),
      );
    default:
      return token.content;
  }
}

function fill(root: Element, tokens: Token[]): void {
  const open = [root];
  for (const token of tokens.filter((each) => !each.hidden)) {
    const place = open.at(-1) ?? root;
    if (token.type === "inline") fill(place, token.children ?? []);
    else if (token.nesting < 0) open.pop();
    else if (token.nesting === 0) place.append(single(token, place));
    else {
      const element = opened(token);
      open.push(element);
      // What scrolls can be reached by the keyboard.
      const frame = { class: "table-frame", tabindex: 0, role: "group", "aria-label": "Table" };
      place.append(token.type === "table_open" ? h("div", frame, element) : element);
    }
  }
}

export function markdown(text: string): HTMLElement {
  const prose = h("div", { class: "prose" });
  fill(prose, reader.parse(text.slice(0, LONGEST), {}));
  if (text.length > LONGEST)
    prose.append(h("p", { class: "hint" }, "The rest is not shown: the text is too long."));
  return prose;
}
