// Files that a run left: shown as what they are, without trusting what is in them.
import { type Artifact, artifactPath, ask } from "./api";
import { download, h } from "./dom";
import { bytes } from "./format";

const SHOWN_BYTES = 4 * 1024 * 1024;
const SHOWN_ROWS = 200;
const SHOWN_COLUMNS = 40;

export type Kind = "image" | "table" | "html" | "text" | "other";

const starts = (content: Uint8Array, ...signature: number[]) =>
  signature.every((byte, index) => content[index] === byte);

// An image's type by its first bytes; SVG by its name, since as an image it runs no script.
export function imageType(path: string, content: Uint8Array): string | null {
  if (starts(content, 0x89, 0x50, 0x4e, 0x47)) return "image/png";
  if (starts(content, 0xff, 0xd8, 0xff)) return "image/jpeg";
  if (starts(content, 0x47, 0x49, 0x46, 0x38)) return "image/gif";
  if (starts(content, 0x52, 0x49, 0x46, 0x46) && content[8] === 0x57) return "image/webp";
  if (/\.svg$/i.test(path)) return "image/svg+xml";
  return null;
}

export function kindOf(path: string, content: Uint8Array): Kind {
  if (imageType(path, content) !== null) return "image";
  if (/\.(csv|tsv)$/i.test(path)) return "table";
  if (/\.html?$/i.test(path)) return "html";
  if (/\.(txt|md|json|log|xml|yaml|toml|ini|tex|dot)$/i.test(path)) return "text";
  return content.subarray(0, 4096).includes(0) ? "other" : "text";
}

// Comma-separated values as RFC 4180 has them, tabs likewise.
export function parseTable(text: string, separator: string, most = SHOWN_ROWS + 1): string[][] {
  const rows: string[][] = [];
  let row: string[] = [];
  let cell = "";
  let quoted = false;
  for (let at = 0; at < text.length && rows.length < most; ++at) {
    const letter = text[at] as string;
    if (quoted) {
      if (letter !== '"') cell += letter;
      else if (text[at + 1] === '"') cell += text[++at];
      else quoted = false;
    } else if (letter === '"' && cell === "") quoted = true;
    else if (letter === separator) {
      row.push(cell);
      cell = "";
    } else if (letter === "\n") {
      row.push(cell.replace(/\r$/, ""));
      rows.push(row);
      row = [];
      cell = "";
    } else cell += letter;
  }
  if (rows.length < most && (cell !== "" || row.length > 0)) rows.push([...row, cell]);
  return rows;
}

function table(path: string, text: string): HTMLElement {
  const rows = parseTable(text, /\.tsv$/i.test(path) ? "\t" : ",");
  const [head = [], ...body] = rows;
  const cells = (row: string[]) => row.slice(0, SHOWN_COLUMNS);
  return h(
    "div",
    { class: "table-frame", tabindex: 0, role: "region", "aria-label": `Table ${path}` },
    h(
      "table",
      {},
      h("thead", {}, h("tr", {}, ...cells(head).map((cell) => h("th", { scope: "col" }, cell)))),
      h(
        "tbody",
        {},
        ...body
          .slice(0, SHOWN_ROWS)
          .map((row) => h("tr", {}, ...cells(row).map((cell) => h("td", {}, cell)))),
      ),
    ),
    body.length >= SHOWN_ROWS &&
      h("p", { class: "hint" }, `The first ${SHOWN_ROWS} rows; the file has them all.`),
  );
}

function preview(path: string, content: Uint8Array<ArrayBuffer>): HTMLElement | null {
  const kind = kindOf(path, content);
  const text = () => new TextDecoder().decode(content);
  if (kind === "image") {
    const url = URL.createObjectURL(new Blob([content], { type: imageType(path, content) ?? "" }));
    return h("img", { src: url, alt: `The image ${path}` });
  }
  if (kind === "table") return table(path, text());
  if (kind === "html") {
    // An origin of its own, no script, no form, no way out: the page's policy holds in there too.
    const frame = h("iframe", {
      sandbox: "",
      title: `The page ${path}`,
      referrerpolicy: "no-referrer",
    });
    frame.srcdoc = text();
    return frame;
  }
  if (kind === "text") {
    return h(
      "pre",
      { tabindex: 0, role: "region", "aria-label": `Text ${path}` },
      text().slice(0, 100_000),
    );
  }
  return null;
}

export async function show(run: string, artifacts: readonly Artifact[]): Promise<HTMLElement[]> {
  return Promise.all(
    artifacts.map(async (artifact, index) => {
      const fetched = async () =>
        new Uint8Array(await (await ask(artifactPath(run, artifact))).arrayBuffer());
      const card = h(
        "figure",
        { class: "artifact" },
        h(
          "figcaption",
          {},
          h("b", {}, artifact.path),
          h("span", { class: "muted" }, bytes(artifact.bytes)),
          h(
            "button",
            {
              type: "button",
              class: "quiet",
              "aria-label": `Download ${artifact.path}`,
              onclick: async () => download(artifact.path, await fetched()),
            },
            "Download",
          ),
        ),
      );
      if (index < 12 && artifact.bytes <= SHOWN_BYTES) {
        try {
          const shown = preview(artifact.path, await fetched());
          if (shown !== null) card.append(shown);
        } catch {
          card.append(h("p", { class: "hint" }, "It cannot be fetched now."));
        }
      }
      return card;
    }),
  );
}
