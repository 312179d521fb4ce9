export { bytesWritten, textWritten } from "./bytes.js";
export type { CallOptions, ListOptions, SubmitOptions } from "./client.js";
export { Client } from "./client.js";
export { BadAnswer, BelljarError, ConnectionLost, Problem, Timeout } from "./errors.js";
export type { components, operations, paths } from "./schema.js";
export { RunStream } from "./stream.js";
export type { ClientOptions } from "./transport.js";
export type * from "./types.js";
