// The service's interface, as api/openapi.yaml describes it, and the one place that asks it.

export type Status =
  | "ok"
  | "runtime_error"
  | "signalled"
  | "timeout"
  | "memory_limit"
  | "output_limit"
  | "disk_limit"
  | "compile_error"
  | "rejected"
  | "setup_error"
  | "cancelled";
export type State = "queued" | "running" | "done" | "cancelled" | "lost";

export interface Limits {
  wall_ms: number;
  cpu_ms: number;
  memory_bytes: number;
  processes: number;
  output_bytes: number;
  box_bytes: number;
  tmp_bytes: number;
  inodes: number;
  open_files: number;
  file_size_bytes: number;
  stack_bytes: number;
  cpus: number;
  artifacts_bytes: number;
}

export interface Stream {
  text: string;
  base64?: string;
  total_bytes: number;
  truncated: boolean;
}

export interface Stage {
  stage: "compile" | "run";
  status: Status;
  reason: string;
  clock?: "wall" | "cpu";
  exit_code?: number;
  signal?: string;
  stdout: Stream;
  stderr: Stream;
  usage: {
    wall_ms: number;
    cpu_ms: number;
    user_ms: number;
    system_ms: number;
    peak_memory_bytes: number;
    peak_processes: number;
    oom_kills: number;
  };
  events: { process_limit_hits: number; leftover_processes: number; disk_full: boolean };
  denied_syscalls: { name: string; count: number }[];
  denied_more: boolean;
  phases: {
    queue_ms: number;
    build_ms: number;
    run_ms: number;
    collect_ms: number;
    teardown_ms: number;
  };
  limits: Limits;
  walls: string[];
  missing_walls: string[];
}

export interface Finding {
  rule: string;
  path: string;
  line: number;
  column: number;
  reason: string;
  text: string;
}

export interface Artifact {
  path: string;
  path_base64?: string; // only where the path is not UTF-8
  bytes: number;
  executable: boolean;
}

export interface Outcome {
  status: Status;
  reason: string;
  language: string;
  toolchain: string;
  policy: string;
  stages: Stage[];
  artifacts: Artifact[];
  artifacts_truncated: boolean;
  screening?: {
    refused: boolean;
    findings: Finding[];
    syntax_errors: Finding[];
    not_analysed: Finding[];
  };
  verdict?: "pass" | "wrong_answer" | Status;
  difference?: string | null;
}

export interface Run {
  id: string;
  state: State;
  language: string;
  policy: string;
  created_at: string;
  started_at: string | null;
  finished_at: string | null;
  attempts: number;
  batch: string | null;
  status: Status | null;
  reason: string;
  outcome: Outcome | null;
}

export interface RequestFile {
  path: string;
  content: string;
  encoding?: "utf-8" | "base64" | null;
  executable?: boolean | null;
}
export type Content = string | { content: string; encoding?: "utf-8" | "base64" | null };

export interface RunRequest {
  language?: string | null;
  source?: string | null;
  files?: RequestFile[] | null;
  entry?: string | null;
  stdin?: Content | null;
  expected?: Content | null;
  args?: string[] | null;
  limits?: Record<string, string | number> | null;
  policy?: string | null;
  artifacts?: string[] | null;
}

export interface Language {
  name: string;
  title: string;
  aliases: string[];
  extensions: string[];
  compiled: boolean;
  available: boolean;
  package: string;
  hello: { file: string; source: string };
}

export interface System {
  version: string;
  kernel: string;
  cgroup_mode: string;
  landlock_abi: number;
  rootless: boolean;
  policies: string[];
  default_policy: string;
  runs: { running: number; waiting: number; concurrent: number; queue: number };
}

export interface Policy {
  name: string;
  default: Limits;
  maximum: Limits;
}
export interface Wall {
  name: string;
  explanation: string;
}
export interface Batch {
  id: string;
  runs: Run[];
  ended: number;
  total: number;
}

// What the service refused, in its own words.
export class Problem extends Error {
  constructor(
    readonly status: number,
    detail: string,
    readonly field?: string,
  ) {
    super(detail);
  }
}

const KEY = "belljar.key";
export function key(): string {
  return localStorage.getItem(KEY) ?? "";
}
export function setKey(secret: string): void {
  if (secret === "") localStorage.removeItem(KEY);
  else localStorage.setItem(KEY, secret);
}

export async function ask(path: string, init: RequestInit = {}): Promise<Response> {
  const headers = new Headers(init.headers);
  if (key() !== "") headers.set("Authorization", `Bearer ${key()}`);
  const response = await fetch(path, { ...init, headers });
  if (response.ok) return response;
  let detail = `the service answered ${response.status}`;
  let field: string | undefined;
  try {
    const body = (await response.json()) as { detail?: string; field?: string };
    detail = body.detail ?? detail;
    field = body.field;
  } catch {
    // Not from the service itself: a proxy in between.
  }
  if (response.status === 401) window.dispatchEvent(new CustomEvent("key-needed"));
  throw new Problem(response.status, detail, field);
}

export async function get<Answer>(path: string): Promise<Answer> {
  return (await ask(path)).json() as Promise<Answer>;
}

export async function post(path: string, body?: unknown, headers: Record<string, string> = {}) {
  return ask(path, {
    method: "POST",
    headers: { "Content-Type": "application/json", ...headers },
    body: body === undefined ? null : JSON.stringify(body),
  });
}

const once = new Map<string, Promise<unknown>>();
function remembered<Answer>(path: string): Promise<Answer> {
  let answer = once.get(path);
  if (answer === undefined) {
    answer = get(path);
    answer.catch(() => once.delete(path));
    once.set(path, answer);
  }
  return answer as Promise<Answer>;
}

export const languages = async () =>
  (await remembered<{ languages: Language[] }>("/v1/languages")).languages;
export const policies = async () =>
  (await remembered<{ policies: Policy[] }>("/v1/policies")).policies;
export const walls = async () => (await remembered<{ walls: Wall[] }>("/v1/walls")).walls;
export const systemFacts = () => remembered<System>("/v1/system");
export const run = (id: string) => get<Run>(`/v1/runs/${encodeURIComponent(id)}`);
export const requestOf = (id: string) =>
  get<RunRequest>(`/v1/runs/${encodeURIComponent(id)}/request`);
export const cancel = (id: string) => post(`/v1/runs/${encodeURIComponent(id)}/cancel`);
export const artifactPath = (id: string, { path, path_base64 }: Artifact) =>
  `/v1/runs/${encodeURIComponent(id)}/artifacts/${
    path_base64 === undefined
      ? path.split("/").map(encodeURIComponent).join("/")
      : escaped(bytesOf(path_base64))
  }`;

// Each byte but slashes.
function escaped(bytes: Uint8Array): string {
  const hex = (byte: number) => `%${byte.toString(16).padStart(2, "0")}`;
  return Array.from(bytes, (byte) => (byte === 0x2f ? "/" : hex(byte))).join("");
}

export function bytesOf(base64: string): Uint8Array<ArrayBuffer> {
  const binary = atob(base64);
  const bytes = new Uint8Array(binary.length);
  for (let at = 0; at < binary.length; ++at) bytes[at] = binary.charCodeAt(at);
  return bytes;
}

export function base64Of(bytes: Uint8Array): string {
  let binary = "";
  for (let at = 0; at < bytes.length; at += 0x8000) {
    binary += String.fromCharCode(...bytes.subarray(at, at + 0x8000));
  }
  return btoa(binary);
}

export function textOf(content: Content | null | undefined): string {
  if (content === null || content === undefined) return "";
  if (typeof content === "string") return content;
  if (content.encoding !== "base64") return content.content;
  return new TextDecoder().decode(bytesOf(content.content));
}
