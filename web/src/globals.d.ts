/// <reference types="vite/client" />
declare module "monaco-editor/esm/vs/*";
declare module "monaco-editor/esm/vs/editor/editor.api.js" {
  export * from "monaco-editor";
}
declare module "@fontsource-variable/*";
