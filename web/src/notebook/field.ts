// Where the text of a cell is typed: a plain field, which becomes the editor when that has come. On a touch
// screen the field stays, as on the page of programs.

export interface CellEvents {
  language: string;
  label: string;
  changed(text: string): void;
  run(): void;
  runAndGoOn(): void;
  leave(): void;
}

export interface CellSurface {
  text(): string;
  selection(): [number, number];
  hasFocus(): boolean;
  focus(): void;
  name(label: string): void;
  dispose(): void;
}

export function makeField(area: HTMLTextAreaElement, events: CellEvents): CellSurface {
  const layOut = () => {
    area.style.height = "auto";
    area.style.height = `${area.scrollHeight + 2}px`;
  };
  const changed = () => {
    layOut();
    events.changed(area.value);
  };
  area.addEventListener("input", changed);
  area.addEventListener("keydown", (event) => {
    if (event.isComposing) return;
    const enter = event.key === "Enter";
    if (enter && (event.ctrlKey || event.metaKey)) events.run();
    else if (enter && event.shiftKey) events.runAndGoOn();
    else if (event.key === "Escape") events.leave();
    else if (event.key === "Tab" && !event.shiftKey) {
      area.setRangeText("    ", area.selectionStart, area.selectionEnd, "end");
      changed();
    } else return;
    event.preventDefault();
    event.stopPropagation();
  });
  area.setAttribute("aria-label", events.label);
  // Its height is known only when it stands in the page.
  requestAnimationFrame(layOut);
  return {
    text: () => area.value,
    selection: () => [area.selectionStart, area.selectionEnd],
    hasFocus: () => document.activeElement === area,
    focus: () => area.focus(),
    name: (label) => area.setAttribute("aria-label", label),
    dispose: () => area.remove(),
  };
}
