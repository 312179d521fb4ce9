// The names of the contract's types, out of schema.ts, which is generated from api/openapi.yaml.
import type { components } from "./schema.js";

type Schemas = components["schemas"];

export type AcceptedBatch = Schemas["AcceptedBatch"];
export type Artifact = Schemas["Artifact"];
export type Batch = Schemas["Batch"];
export type Content = Schemas["Content"];
// An execution as it is now: before the end there is nothing but its state.
export type ExecutionBody = Omit<Schemas["Execution"], "state"> & {
  state: Schemas["Execution"]["state"] | Schemas["PendingExecution"]["state"];
};
export type ExecutionPage = Schemas["ExecutionPage"];
export type ExecutionSummary = Schemas["ExecutionSummary"];
export type Language = Schemas["Language"];
export type Limits = Schemas["Limits"];
export type Outcome = Schemas["Outcome"];
export type Output = Schemas["Stream"];
export type Policy = Schemas["Policy"];
export type ProblemBody = Schemas["Problem"];
export type Run = Schemas["Run"];
export type RunPage = Schemas["RunPage"];
export type RunRequest = Schemas["RunRequest"];
export type SessionFile = Schemas["SessionFile"];
export type SessionFiles = Schemas["SessionFiles"];
export type SessionInfo = Schemas["Session"];
export type SessionRequest = Schemas["SessionRequest"];
export type SessionResult = Schemas["SessionResult"];
export type Stage = Schemas["Stage"];
export type State = Schemas["State"];
export type Status = Schemas["Status"];
export type System = Schemas["System"];
export type WantedLimits = Schemas["WantedLimits"];
export type Wall = { name: string; explanation: string };
export type Input = { stdin?: Content | Uint8Array; expected?: Content | Uint8Array };

// One event of a run: what the contract calls an event, with its number.
export type RunEvent = Schemas["Event"] & { id: number };

// The same of an execution.
export type ExecutionEvent = Schemas["ExecutionEvent"] & { id: number };

// Files as an object of paths and contents, or as the contract has them.
export type Files = Record<string, string | Uint8Array> | Schemas["File"][];

// What a session begins with: the contract's SessionRequest, in which files may be an object of paths and contents.
export interface SessionFields extends Omit<SessionRequest, "files"> {
  files?: Files;
}

type Fields = Omit<
  {
    [Name in keyof RunRequest]: RunRequest[Name];
  },
  "files" | "stdin" | "expected"
>;

// A program with its input: the contract's RunRequest, in which bytes may stand as they are and files as an object of
// paths and contents.
export interface Program extends Fields {
  files?: Files;
  stdin?: Content | Uint8Array;
  expected?: Content | Uint8Array;
}
