// The runs of this browser: their ids are kept here, what became of them in the service's ledger.

const RUNS = "belljar.runs";
const MOST = 200;

export interface Remembered {
  id: string;
  title: string;
}

export function remembered(): Remembered[] {
  try {
    const list = JSON.parse(localStorage.getItem(RUNS) ?? "[]");
    return Array.isArray(list) ? list : [];
  } catch {
    return [];
  }
}

function keep(list: Remembered[]): void {
  try {
    localStorage.setItem(RUNS, JSON.stringify(list.slice(0, MOST)));
  } catch {
    // The browser keeps no more; the ledger still has them.
  }
}

export function remember(id: string, text: string): void {
  const title = text.split("\n").find((line) => line.trim() !== "") ?? "";
  keep([
    { id, title: title.trim().slice(0, 80) },
    ...remembered().filter((each) => each.id !== id),
  ]);
}

export function forget(ids: ReadonlySet<string>): void {
  keep(remembered().filter((each) => !ids.has(each.id)));
}
