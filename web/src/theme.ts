// Light or dark: as the system has it, until somebody chooses.

const THEME = "belljar.theme";
const system = matchMedia("(prefers-color-scheme: dark)");

export function isDark(): boolean {
  const chosen = localStorage.getItem(THEME);
  return chosen === null ? system.matches : chosen === "dark";
}

export function watchTheme(button: HTMLButtonElement, tell: (dark: boolean) => void): void {
  const apply = () => {
    const dark = isDark();
    document.documentElement.dataset.theme = dark ? "dark" : "light";
    button.textContent = dark ? "Light" : "Dark";
    button.setAttribute("aria-label", dark ? "Use light colours" : "Use dark colours");
    tell(dark);
  };
  button.addEventListener("click", () => {
    localStorage.setItem(THEME, isDark() ? "light" : "dark");
    apply();
  });
  system.addEventListener("change", apply);
  apply();
}
