// The notebook of this browser: kept between visits, with the session that its cells ran in.
import type { Foot } from "./cell_view";
import { Malformed, readNotebook, writeNotebook } from "./ipynb";
import { makeCell, type Notebook } from "./model";

const NOTEBOOK = "belljar.notebook";

export interface Kept {
  name: string;
  notebook: Notebook;
  session: string | null;
  running: { cell: string; execution: string } | null;
  feet: Map<string, Foot>; // by cell
}

export function empty(): Kept {
  return {
    name: "notebook",
    notebook: { metadata: {}, cells: [makeCell("code")] },
    session: null,
    running: null,
    feet: new Map(),
  };
}

interface Stored extends Omit<Kept, "notebook" | "feet"> {
  notebook: string;
  feet: [string, Foot][];
}

export function load(): Kept {
  try {
    const stored = JSON.parse(localStorage.getItem(NOTEBOOK) ?? "") as Stored;
    const notebook = readNotebook(stored.notebook);
    if (notebook.cells.length === 0) notebook.cells.push(makeCell("code"));
    return { ...stored, notebook, feet: new Map(stored.feet) };
  } catch (error) {
    if (error instanceof Malformed || error instanceof SyntaxError || error instanceof TypeError) {
      return empty();
    }
    throw error;
  }
}

// Whether all of it was kept: outputs may be more than the browser has room for.
export function keep(kept: Kept): boolean {
  const put = (notebook: Notebook) => {
    const { name, session, running } = kept;
    const feet = [...kept.feet].filter(([id]) => notebook.cells.some((cell) => cell.id === id));
    const stored: Stored = { name, notebook: writeNotebook(notebook), session, running, feet };
    try {
      localStorage.setItem(NOTEBOOK, JSON.stringify(stored));
      return true;
    } catch {
      return false;
    }
  };
  if (put(kept.notebook)) return true;
  const cells = kept.notebook.cells.map((cell) => ({ ...cell, outputs: [] }));
  put({ ...kept.notebook, cells });
  return false;
}
