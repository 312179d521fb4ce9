// HTML that a program wrote, as a document that can do nothing, for a frame with an empty sandbox.

// How high a frame begins: lines and rows, as far as they can be told. Nobody can ask: the page may not look into an origin
// that is not its own, and to tell of itself the document would need a script, which is allowed for all of it or for nothing.
export function guessedHeight(whole: string): number {
  const html = whole.slice(0, 20_000);
  const rows = html.match(/<(tr|li|p|br|h[1-6]|div|pre|dt|dd)\b/gi)?.length ?? 0;
  const letters = html.replace(/<[^>]{0,2000}>/g, "").length;
  const lines = Math.max(rows, html.split("\n").length / 3, letters / 110, 1);
  return Math.round(Math.min(420, Math.max(64, 28 + lines * 27)));
}

// No script (the sandbox), nothing from anywhere (the policy, the first thing in it), no way to go (the
// page's own policy, which holds for its frames too).
export function frameSource(html: string, dark: boolean): string {
  const [ink, paper, rule] = dark
    ? ["#e4e8ea", "#15191c", "#3a434a"]
    : ["#1b2125", "#ffffff", "#dde2e1"];
  return (
    '<!doctype html><html lang="und"><head><meta charset="utf-8">' +
    '<meta http-equiv="Content-Security-Policy" content="default-src \'none\'; ' +
    "img-src data:; style-src 'unsafe-inline'; form-action 'none'; base-uri 'none'\">" +
    "<title>Output</title><style>" +
    `:root{color-scheme:${dark ? "dark" : "light"}}` +
    `body{margin:8px;font:14px/1.45 system-ui,sans-serif;color:${ink};background:${paper}}` +
    `table{border-collapse:collapse;font-size:13px}th,td{padding:4px 10px;text-align:right;` +
    `border:0;border-bottom:1px solid ${rule}}` +
    `</style></head><body>${html}`
  );
}
