// The editor, with what a playground needs of it and the grammars of the languages there are. A chunk
// of its own, which comes while the page can be typed into already.
import "monaco-editor/esm/vs/editor/internal/initialize.js";
import "monaco-editor/esm/vs/editor/browser/coreCommands.js";
import "monaco-editor/esm/vs/editor/browser/widget/codeEditor/codeEditorWidget.js";
import "monaco-editor/esm/vs/editor/contrib/bracketMatching/browser/bracketMatching.js";
import "monaco-editor/esm/vs/editor/contrib/caretOperations/browser/caretOperations.js";
import "monaco-editor/esm/vs/editor/contrib/clipboard/browser/clipboard.js";
import "monaco-editor/esm/vs/editor/contrib/comment/browser/comment.js";
import "monaco-editor/esm/vs/editor/contrib/contextmenu/browser/contextmenu.js";
import "monaco-editor/esm/vs/editor/contrib/cursorUndo/browser/cursorUndo.js";
import "monaco-editor/esm/vs/editor/contrib/find/browser/findController.js";
import "monaco-editor/esm/vs/editor/contrib/folding/browser/folding.js";
import "monaco-editor/esm/vs/editor/contrib/gotoError/browser/gotoError.js";
import "monaco-editor/esm/vs/editor/contrib/hover/browser/hoverContribution.js";
import "monaco-editor/esm/vs/editor/contrib/indentation/browser/indentation.js";
import "monaco-editor/esm/vs/editor/contrib/linesOperations/browser/linesOperations.js";
import "monaco-editor/esm/vs/editor/contrib/multicursor/browser/multicursor.js";
import "monaco-editor/esm/vs/editor/contrib/smartSelect/browser/smartSelect.js";
import "monaco-editor/esm/vs/editor/contrib/toggleTabFocusMode/browser/toggleTabFocusMode.js";
import "monaco-editor/esm/vs/editor/contrib/wordHighlighter/browser/wordHighlighter.js";
import "monaco-editor/esm/vs/editor/contrib/wordOperations/browser/wordOperations.js";
import "monaco-editor/esm/vs/base/browser/ui/codicons/codicon/codicon.css";
import "monaco-editor/esm/vs/basic-languages/cpp/cpp.contribution.js";
import "monaco-editor/esm/vs/basic-languages/go/go.contribution.js";
import "monaco-editor/esm/vs/basic-languages/html/html.contribution.js";
import "monaco-editor/esm/vs/basic-languages/java/java.contribution.js";
import "monaco-editor/esm/vs/basic-languages/javascript/javascript.contribution.js";
import "monaco-editor/esm/vs/basic-languages/lua/lua.contribution.js";
import "monaco-editor/esm/vs/basic-languages/perl/perl.contribution.js";
import "monaco-editor/esm/vs/basic-languages/php/php.contribution.js";
import "monaco-editor/esm/vs/basic-languages/python/python.contribution.js";
import "monaco-editor/esm/vs/basic-languages/r/r.contribution.js";
import "monaco-editor/esm/vs/basic-languages/ruby/ruby.contribution.js";
import "monaco-editor/esm/vs/basic-languages/rust/rust.contribution.js";
import "monaco-editor/esm/vs/basic-languages/shell/shell.contribution.js";
import "monaco-editor/esm/vs/basic-languages/typescript/typescript.contribution.js";
import * as monaco from "monaco-editor/esm/vs/editor/editor.api.js";
import EditorWorker from "monaco-editor/esm/vs/editor/editor.worker.js?worker";
import type { Surface, SurfaceEvents } from "./editor";
import type { CellEvents, CellSurface } from "./notebook/field";
import type { Place } from "./problems";
import { isDark } from "./theme";

self.MonacoEnvironment = { getWorker: () => new EditorWorker() };

const HIGHEST_CELL = 640;
const colours = {
  light: { background: "#ffffff", line: "#f4f6f5", number: "#5f6b72" },
  dark: { background: "#15191c", line: "#1c2226", number: "#8b979e" },
};
for (const name of ["light", "dark"] as const) {
  monaco.editor.defineTheme(`belljar-${name}`, {
    base: name === "light" ? "vs" : "vs-dark",
    inherit: true,
    rules: [{ token: "comment", foreground: name === "light" ? "4d6b4f" : "8fb08f" }],
    colors: {
      "editor.background": colours[name].background,
      "editor.lineHighlightBackground": colours[name].line,
      "editor.lineHighlightBorder": "#00000000",
      "editorLineNumber.foreground": colours[name].number,
    },
  });
}

const themeOf = (dark: boolean) => (dark ? "belljar-dark" : "belljar-light");

const severities = {
  error: monaco.MarkerSeverity.Error,
  warning: monaco.MarkerSeverity.Warning,
  info: monaco.MarkerSeverity.Info,
};

const OPTIONS: monaco.editor.IStandaloneEditorConstructionOptions = {
  automaticLayout: true,
  fontFamily: "'JetBrains Mono Variable', ui-monospace, monospace",
  fontSize: 14,
  lineHeight: 22,
  fontLigatures: false,
  minimap: { enabled: false },
  scrollBeyondLastLine: false,
  overviewRulerLanes: 0,
  hideCursorInOverviewRuler: true,
  overviewRulerBorder: false,
  lineNumbersMinChars: 3,
  lineDecorationsWidth: 12,
  renderLineHighlight: "line",
  fixedOverflowWidgets: true,
  links: false,
  renderFinalNewline: "on",
  colorDecorators: false,
  defaultColorDecorators: "never",
  occurrencesHighlight: "off",
  scrollbar: { alwaysConsumeMouseWheel: false },
};

// Keys of one editor: a page may have several, and each its own.
function bind(
  editor: monaco.editor.IStandaloneCodeEditor,
  id: string,
  label: string,
  key: number,
  run: () => void,
  when?: string,
): void {
  const condition = when === undefined ? {} : { keybindingContext: when };
  editor.addAction({ id: `belljar.${id}`, label, keybindings: [key], ...condition, run });
}

const MAY_LEAVE =
  "editorTextFocus && !findWidgetVisible && !markersNavigationVisible && !editorHasSelection && " +
  "!editorHasMultipleSelections && !suggestWidgetVisible";

export function make(host: HTMLElement, old: Surface, events: SurfaceEvents): Surface {
  const selection = old.selection();
  const hadFocus = old.hasFocus();
  const models = new Map<string, monaco.editor.ITextModel>();
  const editor = monaco.editor.create(host, {
    ...OPTIONS,
    theme: themeOf(isDark()),
    ariaLabel: "Program. Escape leaves the editor, Ctrl+Enter runs.",
    padding: { top: 12, bottom: 12 },
  });

  let showing = false;
  // One path may be opened anew with another content: its model stays, so that undoing works.
  const modelOf = (path: string, text: string, language: string) => {
    let model = models.get(path);
    if (model === undefined) {
      model = monaco.editor.createModel(text, language);
      // What is typed, not what is shown: that may be of a file that is not in the editor yet.
      model.onDidChangeContent(() => {
        if (!showing) events.changed();
      });
      models.set(path, model);
      return model;
    }
    if (model.getValue() !== text) model.setValue(text);
    monaco.editor.setModelLanguage(model, language);
    return model;
  };

  const { KeyCode, KeyMod } = monaco;
  bind(editor, "run", "Run", KeyMod.CtrlCmd | KeyCode.Enter, () => events.run());
  bind(editor, "leave", "Leave the editor", KeyCode.Escape, () => events.leave(), MAY_LEAVE);

  const surface: Surface = {
    text: () => editor.getModel()?.getValue() ?? "",
    show: (path, text, language) => {
      showing = true;
      editor.setModel(modelOf(path, text, language));
      showing = false;
    },
    selection: () => {
      const model = editor.getModel();
      const chosen = editor.getSelection();
      if (model === null || chosen === null) return [0, 0];
      return [
        model.getOffsetAt(chosen.getStartPosition()),
        model.getOffsetAt(chosen.getEndPosition()),
      ];
    },
    hasFocus: () => editor.hasTextFocus(),
    focus: () => editor.focus(),
    reveal: (line, column) => {
      editor.setPosition({ lineNumber: line, column });
      editor.revealLineInCenter(line);
      editor.focus();
    },
    mark: (path: string, places: readonly Place[]) => {
      const model = models.get(path);
      if (model === undefined) return;
      const lines = model.getLineCount();
      monaco.editor.setModelMarkers(
        model,
        "belljar",
        places
          .filter((place) => place.line >= 1 && place.line <= lines)
          .map((place) => {
            const word = model.getWordAtPosition({ lineNumber: place.line, column: place.column });
            const last = model.getLineMaxColumn(place.line);
            return {
              severity: severities[place.severity],
              message: place.message,
              startLineNumber: place.line,
              startColumn: Math.min(place.column, Math.max(1, last - 1)),
              endLineNumber: place.line,
              endColumn: place.column > 1 ? (word?.endColumn ?? place.column + 1) : last,
            };
          }),
      );
    },
    forget: (path) => {
      models.get(path)?.dispose();
      models.delete(path);
    },
    theme: (dark) => monaco.editor.setTheme(themeOf(dark)),
  };
  const take = (path: string, text: string, language: string) => {
    surface.show(path, text, language);
    const model = editor.getModel();
    if (model !== null) {
      const start = model.getPositionAt(selection[0]);
      const end = model.getPositionAt(selection[1]);
      editor.setSelection(monaco.Range.fromPositions(start, end));
    }
    if (hadFocus) editor.focus();
  };
  events.adopt(take);
  return surface;
}

// The editor of a cell of a notebook, as high as its text.
export function makeCell(host: HTMLElement, old: CellSurface, events: CellEvents): CellSurface {
  const [start, end] = old.selection();
  const model = monaco.editor.createModel(old.text(), events.language);
  const editor = monaco.editor.create(host, {
    ...OPTIONS,
    theme: themeOf(isDark()), // of all editors there are
    model,
    ariaLabel: events.label,
    padding: { top: 8, bottom: 8 },
    lineNumbers: "off",
    glyphMargin: false,
    folding: false,
    lineDecorationsWidth: 10,
    lineNumbersMinChars: 0,
    renderLineHighlight: "none",
    wordWrap: events.language === "python" ? "off" : "on",
    scrollbar: {
      alwaysConsumeMouseWheel: false,
      handleMouseWheel: true,
      vertical: "auto",
      verticalScrollbarSize: 8,
    },
  });
  const { KeyCode, KeyMod } = monaco;
  bind(editor, "run", "Run the cell", KeyMod.CtrlCmd | KeyCode.Enter, () => events.run());
  bind(editor, "on", "Run and go on", KeyMod.Shift | KeyCode.Enter, () => events.runAndGoOn());
  bind(editor, "leave", "Leave the editor", KeyCode.Escape, () => events.leave(), MAY_LEAVE);
  const layOut = () => {
    host.style.height = `${Math.min(HIGHEST_CELL, editor.getContentHeight())}px`;
    editor.layout();
  };
  editor.onDidContentSizeChange(layOut);
  model.onDidChangeContent(() => events.changed(model.getValue()));
  editor.setSelection(
    monaco.Range.fromPositions(model.getPositionAt(start), model.getPositionAt(end)),
  );
  layOut();
  if (old.hasFocus()) editor.focus();
  return {
    text: () => model.getValue(),
    selection: () => {
      const chosen = editor.getSelection();
      if (chosen === null) return [0, 0];
      return [
        model.getOffsetAt(chosen.getStartPosition()),
        model.getOffsetAt(chosen.getEndPosition()),
      ];
    },
    hasFocus: () => editor.hasTextFocus(),
    focus: () => editor.focus(),
    name: (label) => editor.updateOptions({ ariaLabel: label }),
    dispose: () => {
      editor.dispose();
      model.dispose();
    },
  };
}
