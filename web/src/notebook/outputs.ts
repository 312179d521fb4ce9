// What a cell showed. It comes from a hostile program or from a file of anybody: text becomes text, images
// become images by their bytes, HTML stays in a frame that can do nothing.
import { bytesOf } from "../api";
import { imageType } from "../artifacts";
import { download, h } from "../dom";
import { bytes } from "../format";
import { isDark } from "../theme";
import { draw } from "./ansi";
import { frameSource, guessedHeight } from "./frame";
import { markdown } from "./markdown";
import type { Bundle, Json, Output } from "./model";

const LONGEST_TEXT = 200_000;
const LONGEST_HTML = 4 * 1024 * 1024;

// What is shown of a value that has several forms: the richest that this page can show.
const FORMS = [
  "text/html",
  "text/markdown",
  "image/svg+xml",
  "image/png",
  "image/jpeg",
  "image/gif",
  "image/webp",
  "text/latex",
  "application/json",
  "text/plain",
];

export interface Drawn {
  element: HTMLElement;
  // What has to be let go of when the element is thrown away.
  release(): void;
}
const kept = (element: HTMLElement): Drawn => ({ element, release: () => undefined });

// What scrolls can be reached by the keyboard.
function reachable(name: string, element: HTMLElement): HTMLElement {
  element.setAttribute("role", "group");
  element.setAttribute("aria-label", name);
  element.tabIndex = 0;
  return element;
}

function plain(name: string, words: string, classes = "text"): HTMLElement {
  const cut = words.length > LONGEST_TEXT;
  const nodes = draw(cut ? words.slice(0, LONGEST_TEXT) : words);
  return reachable(
    name,
    h("pre", { class: classes }, ...nodes, cut && "\n… the rest is not shown: it is too long"),
  );
}

// ---- HTML ----

function frame(name: string, html: string): Drawn {
  const element = h("iframe", {
    sandbox: "",
    title: name,
    referrerpolicy: "no-referrer",
    loading: "lazy",
  });
  element.srcdoc = frameSource(html, isDark());
  element.height = String(guessedHeight(html));
  const taller = h(
    "button",
    {
      type: "button",
      class: "quiet small",
      "aria-pressed": "false",
      onclick: () => {
        const whole = taller.getAttribute("aria-pressed") !== "true";
        taller.setAttribute("aria-pressed", String(whole));
        element.classList.toggle("tall", whole);
      },
    },
    "Taller",
  );
  return kept(h("div", { class: "frame" }, element, taller));
}

// ---- Images ----

const isImage = (mime: string) => mime.startsWith("image/");

function decoded(value: string): Uint8Array<ArrayBuffer> | null {
  try {
    return bytesOf(value.replace(/\s/g, ""));
  } catch {
    return null;
  }
}

function image(name: string, mime: string, value: string): Drawn | null {
  const isSvg = mime === "image/svg+xml";
  const content = isSvg ? new TextEncoder().encode(value) : decoded(value);
  if (content === null) return null;
  // Its bytes say what it is; a name that says otherwise is not believed.
  const type = imageType(isSvg ? "x.svg" : "", content);
  if (type === null) return null;
  const url = URL.createObjectURL(new Blob([content], { type }));
  const element = h("img", { src: url, alt: name });
  const card = h("div", { class: "image" }, element);
  element.addEventListener("error", () => {
    card.replaceChildren(h("p", { class: "hint" }, `An image (${mime}) that cannot be drawn.`));
  });
  return { element: card, release: () => URL.revokeObjectURL(url) };
}

// ---- One value ----

const asText = (value: Json) =>
  typeof value === "string" ? value : JSON.stringify(value, null, 2);

function form(name: string, mime: string, value: Json): Drawn | null {
  if (isImage(mime)) return typeof value === "string" ? image(name, mime, value) : null;
  const words = asText(value);
  if (mime === "text/html") return words.length > LONGEST_HTML ? null : frame(name, words);
  if (mime === "text/markdown") return kept(markdown(words));
  if (mime === "application/json") return kept(plain(name, JSON.stringify(value, null, 2)));
  if (mime === "text/latex") return kept(plain(name, words, "text latex"));
  return kept(plain(name, words));
}

function value(name: string, data: Bundle): Drawn {
  const others = Object.keys(data).filter((mime) => !FORMS.includes(mime));
  for (const mime of FORMS) {
    const found = data[mime];
    if (found === undefined) continue;
    const drawn = form(name, mime, found);
    if (drawn !== null) return drawn;
  }
  const content = (mime: string) => {
    const found = data[mime] ?? "";
    const isBinary = !/^text\/|json$|xml$|javascript$/.test(mime);
    const packed = isBinary && typeof found === "string" ? decoded(found) : null;
    return packed ?? new TextEncoder().encode(asText(found));
  };
  return kept(
    h(
      "p",
      { class: "hint" },
      others.length === 0 ? "Nothing that this page can show." : "This page does not show ",
      ...others.slice(0, 20).flatMap((mime) => [
        h(
          "button",
          {
            type: "button",
            class: "quiet small",
            onclick: () => download("output", content(mime)),
          },
          `${mime.slice(0, 100)} (${bytes(asText(data[mime] ?? "").length)}) ↓`,
        ),
      ]),
    ),
  );
}

export function drawOutput(output: Output, place: string): Drawn {
  switch (output.type) {
    case "stream":
      return kept(plain(`${place}: ${output.name}`, output.text, `text ${output.name}`));
    case "error":
      return kept(
        plain(
          `${place}: error`,
          output.traceback.trim() === "" ? `${output.name}: ${output.value}` : output.traceback,
          "text error",
        ),
      );
    case "display":
      return value(`${place}: ${output.main ? "value" : "display"}`, output.data);
  }
}
