// Files that are dropped or chosen, zips opened.
import { unzip } from "fflate";
import { base64Of } from "./api";
import type { ProgramFile } from "./editor";

const MOST_FILES = 200;
const MOST_BYTES = 8 * 1024 * 1024;

export function fileOf(path: string, bytes: Uint8Array): ProgramFile {
  try {
    const text = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
    if (!text.includes("\0")) return { path, text };
  } catch {
    // Not a text.
  }
  return { path, text: "", base64: base64Of(bytes) };
}

// A folder that all files are in is the archive's own name most of the time.
export function withoutCommonFolder(paths: string[]): string[] {
  const first = paths[0]?.split("/") ?? [];
  if (first.length < 2 || !paths.every((path) => path.startsWith(`${first[0]}/`))) return paths;
  return paths.map((path) => path.slice((first[0]?.length ?? 0) + 1));
}

export async function unpack(bytes: Uint8Array): Promise<ProgramFile[]> {
  let total = 0;
  let number = 0;
  let tooMuch = false;
  const entries = await new Promise<Record<string, Uint8Array>>((done, failed) =>
    unzip(
      bytes,
      {
        // Sizes as the archive says them; the decoder holds it to them.
        filter: (file) => {
          if (file.name.endsWith("/") || file.name.startsWith("__MACOSX/")) return false;
          total += file.originalSize;
          number += 1;
          tooMuch ||= total > MOST_BYTES || number > MOST_FILES;
          return !tooMuch;
        },
      },
      (error, data) => (error ? failed(error) : done(data)),
    ),
  );
  if (tooMuch) throw new Error(`an archive may hold ${MOST_FILES} files and 8 MiB`);
  const paths = Object.keys(entries).sort();
  const names = withoutCommonFolder(paths);
  return paths.map((path, index) =>
    fileOf(names[index] ?? path, entries[path] ?? new Uint8Array()),
  );
}

export async function filesOf(list: Iterable<File>): Promise<ProgramFile[]> {
  const files: ProgramFile[] = [];
  for (const file of list) {
    if (file.size > MOST_BYTES) throw new Error(`${file.name} is larger than 8 MiB`);
    const bytes = new Uint8Array(await file.arrayBuffer());
    if (file.name.toLowerCase().endsWith(".zip")) files.push(...(await unpack(bytes)));
    else files.push(fileOf(file.name, bytes));
  }
  if (files.length > MOST_FILES) throw new Error(`at most ${MOST_FILES} files`);
  return files;
}
