// Markdown as elements, made by the page's one maker of them: markup in it is text, links go to web pages
// only, and nothing is loaded from elsewhere. What is read here takes time by its length and no more.
import { type Child, h } from "../dom";

const LONGEST = 200_000;
const DEEPEST = 8; // lists and quotations in each other
const LONGEST_LINE = 1000; // of a heading, a rule, the head of a table
const LONGEST_MARK = 4000; // characters of one emphasis, code or link

const SAFE = /^(https?:\/\/|mailto:)/i;
const FENCE = /^ {0,3}(```+|~~~+)[^`]*$/;
const HEADING = /^ {0,3}(#{1,6})(?:[ \t]+(.*))?$/;
const RULE = /^ {0,3}(?:(?:\*[ \t]*){3,}|(?:-[ \t]*){3,}|(?:_[ \t]*){3,})$/;
const ITEM = /^( *)([-*+]|\d{1,9}[.)])(?:[ \t]+(.*)|)$/;
const QUOTE = /^ {0,3}>[ \t]?(.*)$/;
const TABLE_RULE = /^[ \t]*\|?[ \t]*:?-+:?[ \t]*(?:\|[ \t]*:?-+:?[ \t]*)*\|?[ \t]*$/;

// A mark of a whole line; a line that is longer than any of them is text.
const marked = (mark: RegExp, line: string) =>
  line.length > LONGEST_LINE ? null : mark.exec(line);

function link(words: Child[], address: string): Child {
  if (!SAFE.test(address)) return h("span", {}, ...words);
  return h(
    "a",
    { href: address, class: "outside", target: "_blank", rel: "noopener noreferrer" },
    ...words,
  );
}

const isWord = (letter: string | undefined) => letter !== undefined && /[\p{L}\p{N}]/u.test(letter);

// Where a mark that begins at `from` ends; -1 where it does not.
function closing(text: string, mark: string, from: number): number {
  const end = text.slice(from, from + LONGEST_MARK).indexOf(mark);
  return end <= 0 ? -1 : from + end;
}

export function inline(text: string, depth = 0): Child[] {
  const parts: Child[] = [];
  let plain = "";
  const flush = () => {
    if (plain !== "") parts.push(plain);
    plain = "";
  };
  const put = (part: Child, to: number) => {
    flush();
    parts.push(part);
    return to;
  };
  // A mark that has no end here has none later either.
  const open = new Set<string>();
  for (let at = 0; at < text.length; ) {
    const letter = text[at] as string;
    const next = text[at + 1];
    if (letter === "\\" && next !== undefined && /[!-/:-@[-`{-~]/.test(next)) {
      plain += next;
      at += 2;
      continue;
    }
    if (letter === "\\" && next === "\n") {
      at = put(h("br"), at + 2);
      continue;
    }
    if (letter === "`") {
      const ticks = /^`+/.exec(text.slice(at, at + 16))?.[0] ?? "`";
      const end = closing(text, ticks, at + ticks.length);
      if (end > 0) {
        const code = text.slice(at + ticks.length, end).replace(/^ (.*) $/s, "$1");
        at = put(h("code", {}, code), end + ticks.length);
        continue;
      }
      plain += ticks;
      at += ticks.length;
      continue;
    }
    if (letter === "$") {
      // Formulas stay as they are written.
      const mark = next === "$" ? "$$" : "$";
      const end = closing(text, mark, at + mark.length);
      if (
        end > 0 &&
        !/\s/.test(text[at + mark.length] ?? " ") &&
        !/\s/.test(text[end - 1] ?? " ")
      ) {
        at = put(
          h("code", { class: "formula" }, text.slice(at, end + mark.length)),
          end + mark.length,
        );
        continue;
      }
    }
    if ((letter === "*" || letter === "_" || letter === "~") && depth < DEEPEST) {
      const mark = next === letter ? letter + letter : letter;
      const begins = !/\s/.test(text[at + mark.length] ?? " ");
      const inWord = letter === "_" && isWord(text[at - 1]);
      if (begins && !inWord && mark !== "~" && !open.has(mark)) {
        let end = closing(text, mark, at + mark.length);
        // In ** a single * may stand, and the reverse.
        while (end > 0 && mark.length === 1 && text[end + 1] === letter) {
          end = closing(text, mark, end + 2);
        }
        const fits =
          end > 0 &&
          !/\s/.test(text[end - 1] ?? " ") &&
          !(letter === "_" && isWord(text[end + mark.length]));
        if (fits) {
          const inner = inline(text.slice(at + mark.length, end), depth + 1);
          const name = letter === "~" ? "s" : mark.length === 2 ? "strong" : "em";
          at = put(h(name, {}, ...inner), end + mark.length);
          continue;
        }
        if (end < 0) open.add(mark);
      }
      plain += mark;
      at += mark.length;
      continue;
    }
    if (letter === "[" || (letter === "!" && next === "[")) {
      const isImage = letter === "!";
      const found =
        /^!?\[([^[\]]{0,1000})\]\( {0,8}<?([^\s<>()]{0,2000}(?:\([^\s<>()]{0,500}\)[^\s<>()]{0,500})?)>?(?: {1,8}"[^"]{0,500}")? {0,8}\)/.exec(
          text.slice(at, at + LONGEST_MARK),
        );
      if (found !== null && depth < DEEPEST) {
        const [whole, words = "", address = ""] = found;
        // A picture from elsewhere would tell who looks at it: its words and its link stand instead.
        const shown = isImage
          ? [`picture: ${words || address.slice(0, 80)}`]
          : inline(words, depth + 1);
        at = put(link(shown, address), at + whole.length);
        continue;
      }
    }
    if (letter === "<" || letter === "h") {
      const found = /^<?(https?:\/\/[^\s<>"'`]{1,2000})>?/i.exec(text.slice(at, at + 2100));
      if (found !== null && !isWord(text[at - 1])) {
        const address = (found[1] ?? "").replace(/[.,;:!?)\]]+$/, "");
        const to = letter === "<" ? at + found[0].length : at + address.length;
        at = put(link([address], address), to);
        continue;
      }
    }
    if (letter === "\n" && text[at - 1] === " " && text[at - 2] === " ") {
      at = put(h("br"), at + 1);
      continue;
    }
    plain += letter;
    ++at;
  }
  flush();
  return parts;
}

function cellsOf(line: string): string[] {
  const cells: string[] = [];
  let cell = "";
  const row = line.trim().replace(/^\|/, "").replace(/\|$/, "");
  for (let at = 0; at < row.length; ++at) {
    if (row[at] === "\\" && row[at + 1] === "|") cell += row[++at];
    else if (row[at] === "|") {
      cells.push(cell.trim());
      cell = "";
    } else cell += row[at];
  }
  return [...cells, cell.trim()];
}

function table(head: string, body: string[]): HTMLElement {
  const columns = cellsOf(head);
  return h(
    "div",
    { class: "table-frame", tabindex: 0, role: "group", "aria-label": "Table" },
    h(
      "table",
      {},
      h(
        "thead",
        {},
        h("tr", {}, ...columns.map((each) => h("th", { scope: "col" }, ...inline(each)))),
      ),
      h(
        "tbody",
        {},
        ...body.map((line) => {
          const cells = cellsOf(line).slice(0, columns.length);
          return h("tr", {}, ...cells.map((each) => h("td", {}, ...inline(each))));
        }),
      ),
    ),
  );
}

const indentOf = (line: string) => line.length - line.trimStart().length;

function items(lines: string[], start: number, depth: number): [HTMLElement, number] {
  const first = ITEM.exec(lines[start] ?? "");
  const margin = first?.[1]?.length ?? 0;
  const ordered = /\d/.test(first?.[2] ?? "");
  const list = ordered ? h("ol", { start: Number.parseInt(first?.[2] ?? "1", 10) }) : h("ul");
  let at = start;
  while (at < lines.length) {
    const found = ITEM.exec(lines[at] ?? "");
    if (found === null || (found[1]?.length ?? 0) > margin + 1) break;
    if ((found[1]?.length ?? 0) < margin || /\d/.test(found[2] ?? "") !== ordered) break;
    const inset = margin + (found[2]?.length ?? 1) + 1;
    const inner = [found[3] ?? ""];
    for (++at; at < lines.length; ++at) {
      const line = lines[at] ?? "";
      if (line.trim() === "") {
        // A blank line belongs to the item when more of it follows.
        const next = lines[at + 1] ?? "";
        if (next.trim() === "" || indentOf(next) <= margin + 1) break;
        inner.push("");
      } else if (indentOf(line) > margin + 1)
        inner.push(line.slice(Math.min(indentOf(line), inset)));
      else if (ITEM.test(line) || startsBlock(line)) break;
      else inner.push(line);
    }
    const parts = blocks(inner, depth + 1);
    const only = parts[0];
    // An item of one paragraph needs none.
    if (only instanceof HTMLParagraphElement) parts.splice(0, 1, ...only.childNodes);
    list.append(h("li", {}, ...parts));
    if ((lines[at] ?? "x").trim() === "" && ITEM.test(lines[at + 1] ?? "")) ++at;
  }
  return [list, at];
}

const startsBlock = (line: string) =>
  QUOTE.test(line) || [FENCE, HEADING, RULE].some((mark) => marked(mark, line) !== null);

function blocks(lines: string[], depth: number): Node[] {
  const parts: Node[] = [];
  for (let at = 0; at < lines.length; ) {
    const line = lines[at] ?? "";
    if (line.trim() === "") {
      ++at;
      continue;
    }
    const fence = marked(FENCE, line);
    if (fence !== null) {
      const mark = fence[1] ?? "```";
      const code: string[] = [];
      for (++at; at < lines.length && !lines[at]?.trimStart().startsWith(mark); ++at) {
        code.push(lines[at] ?? "");
      }
      ++at;
      parts.push(
        h(
          "pre",
          { tabindex: 0, role: "group", "aria-label": "Code" },
          h("code", {}, code.join("\n")),
        ),
      );
      continue;
    }
    const heading = marked(HEADING, line);
    if (heading !== null) {
      // The page's own heading is the first of all.
      const name = `h${Math.min(6, (heading[1]?.length ?? 1) + 1)}` as "h2";
      parts.push(
        h(name, {}, ...inline((heading[2] ?? "").replace(/(^|[ \t])#+[ \t]*$/, "").trim())),
      );
      ++at;
      continue;
    }
    if (marked(RULE, line) !== null) {
      parts.push(h("hr"));
      ++at;
      continue;
    }
    if (depth < DEEPEST && QUOTE.test(line)) {
      const inner: string[] = [];
      for (; at < lines.length && QUOTE.test(lines[at] ?? ""); ++at) {
        inner.push(QUOTE.exec(lines[at] ?? "")?.[1] ?? "");
      }
      parts.push(h("blockquote", {}, ...blocks(inner, depth + 1)));
      continue;
    }
    if (depth < DEEPEST && ITEM.test(line)) {
      const [list, to] = items(lines, at, depth);
      parts.push(list);
      at = Math.max(to, at + 1);
      continue;
    }
    const next = lines[at + 1] ?? "";
    if (line.includes("|") && next.includes("-") && marked(TABLE_RULE, next) !== null) {
      const body: string[] = [];
      let to = at + 2;
      for (; to < lines.length && (lines[to] ?? "").includes("|"); ++to) body.push(lines[to] ?? "");
      parts.push(table(line, body));
      at = to;
      continue;
    }
    const words = [line.trimStart()];
    for (++at; at < lines.length; ++at) {
      const more = lines[at] ?? "";
      if (more.trim() === "" || startsBlock(more) || (ITEM.test(more) && depth < DEEPEST)) break;
      words.push(more.trimStart());
    }
    parts.push(h("p", {}, ...inline(words.join("\n").trimEnd())));
  }
  return parts;
}

export function markdown(text: string): HTMLElement {
  const cut = text.length > LONGEST;
  const lines = (cut ? text.slice(0, LONGEST) : text).replace(/\r\n?/g, "\n").split("\n");
  const parts = blocks(lines, 0);
  if (cut) parts.push(h("p", { class: "hint" }, "The rest is not shown: the text is too long."));
  return h("div", { class: "prose" }, ...parts);
}
