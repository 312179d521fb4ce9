// Light or dark: as the system has it, until somebody chooses.

const THEME = "belljar.theme";
const system = matchMedia("(prefers-color-scheme: dark)");

export function isDark(): boolean {
  const chosen = localStorage.getItem(THEME);
  return chosen === null ? system.matches : chosen === "dark";
}

const listeners = new Set<(dark: boolean) => void>();

// Tells of a change, until the function that comes back is called.
export function onTheme(listener: (dark: boolean) => void): () => void {
  listeners.add(listener);
  return () => void listeners.delete(listener);
}

export function watchTheme(button: HTMLButtonElement, tell: (dark: boolean) => void): void {
  const apply = () => {
    const dark = isDark();
    document.documentElement.dataset.theme = dark ? "dark" : "light";
    button.textContent = dark ? "Light" : "Dark";
    button.setAttribute("aria-label", dark ? "Use light colours" : "Use dark colours");
    tell(dark);
    for (const listener of listeners) listener(dark);
  };
  button.addEventListener("click", () => {
    localStorage.setItem(THEME, isDark() ? "light" : "dark");
    apply();
  });
  system.addEventListener("change", apply);
  apply();
}
