// The page: where its parts are, which address shows which of them.
import "@fontsource-variable/inter/wght.css";
import "@fontsource-variable/jetbrains-mono/wght.css";
import { key, setKey } from "./api";
import { Bench } from "./bench";
import { byId, h } from "./dom";
import { Play } from "./play";
import type { TestsPanel } from "./tests";
import { isDark, watchTheme } from "./theme";

const bench = new Bench();
const play = new Play(bench, go);
const other = h("div", { class: "sheet", id: "sheet", hidden: true });
const right = byId("right");
byId("page").append(other);
let tests: TestsPanel | null = null;
let leave: () => void = () => undefined;

watchTheme(byId<HTMLButtonElement>("theme"), (dark) => {
  bench.editor.theme(dark);
  play.theme(dark);
});

// Changes the address; what is shown stays.
function go(path: string): void {
  if (location.pathname !== path) history.pushState(null, "", path);
  nameLinks();
}

function nameLinks(): void {
  for (const link of document.querySelectorAll<HTMLAnchorElement>("nav a")) {
    const path = link.pathname;
    const here =
      path === "/"
        ? location.pathname === "/" || location.pathname.startsWith("/r/")
        : location.pathname.startsWith(path);
    if (here) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
}

async function route(): Promise<void> {
  leave();
  leave = () => undefined;
  nameLinks();
  const [, first = "", second = ""] = location.pathname.split("/");
  const onBench = first === "" || first === "r" || first === "tests";
  byId("bench").hidden = !onBench;
  other.hidden = onBench;
  other.replaceChildren();
  if (first === "tests") {
    document.title = "Tests · Belljar";
    const { TestsPanel } = await import("./tests");
    tests ??= new TestsPanel(bench, go);
    right.replaceChildren(tests.element);
    bench.onRun = () => void tests?.run();
    bench.onExample = (cases) => tests?.setCases(cases);
    await bench.ready;
    if (second !== "") await tests.open(second);
    return;
  }
  if (onBench) {
    document.title = "Belljar";
    right.replaceChildren(play.element);
    bench.onRun = () => void bench.ready.then(() => play.run());
    bench.onExample = () => {
      go("/");
      void play.reset();
    };
    if (first === "r" && second !== "") {
      await bench.ready;
      await play.open(second);
    }
    return;
  }
  const at = location.pathname;
  const page =
    first === "history"
      ? (await import("./history_page")).page
      : first === "compare"
        ? (await import("./compare_page")).page
        : first === "notebook"
          ? (await import("./notebook/page")).page
          : (await import("./status_page")).page;
  if (location.pathname === at) leave = page(other, open);
}

// Goes to another page without loading everything anew.
function open(path: string): void {
  history.pushState(null, "", path);
  void route();
  byId("page").focus();
}

document.addEventListener("click", (event) => {
  const link = event.target instanceof Element ? event.target.closest("a") : null;
  if (link === null || event.defaultPrevented || event.button !== 0) return;
  if (event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return;
  if (link.origin !== location.origin || link.classList.contains("outside") || link.hash !== "")
    return;
  if (link.hasAttribute("download") || link.protocol === "blob:") return;
  event.preventDefault();
  open(link.pathname + link.search);
});
document.addEventListener("keydown", (event) => {
  if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey) || event.defaultPrevented) return;
  if (byId("bench").hidden) return;
  event.preventDefault();
  bench.onRun();
});
window.addEventListener("popstate", () => void route());
window.addEventListener("pagehide", () => bench.save());

// ---- A key, where the service wants one ----

const secret = h("input", {
  type: "password",
  id: "secret",
  autocomplete: "off",
  spellcheck: false,
});
const dialog = h(
  "dialog",
  { "aria-labelledby": "key-title" },
  h(
    "form",
    { method: "dialog" },
    h("h2", { id: "key-title" }, "Your key"),
    h(
      "p",
      {},
      "The service knows you by a key that its operator made. It is kept in this browser.",
    ),
    h("label", { class: "field" }, h("span", {}, "Key"), secret),
    h(
      "div",
      { class: "row" },
      h("button", { value: "forget", class: "quiet" }, "Forget it"),
      h("button", { value: "save", class: "primary" }, "Use it"),
    ),
  ),
);
document.body.append(dialog);
dialog.addEventListener("close", () => {
  if (dialog.returnValue === "") return;
  setKey(dialog.returnValue === "save" ? secret.value.trim() : "");
  location.reload();
});
function askForKey(): void {
  secret.value = key();
  if (!dialog.open) dialog.showModal();
}
byId("key").addEventListener("click", askForKey);
window.addEventListener("key-needed", askForKey);

bench.onTrouble = (words) => window.alert(words);
void route();
// What is large comes when the page stands.
const later = window.requestIdleCallback ?? ((work: () => void) => setTimeout(work, 50));
later(() => {
  void bench.editor.upgrade();
  play.warm();
});
bench.editor.theme(isDark());
// For tests: what the terminal shows.
Object.assign(window, { belljar: { terminal: () => play.text() } });
