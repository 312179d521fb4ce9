// Bytes and base64, with what browsers and Node both have.

export function bytesOf(base64: string): Uint8Array<ArrayBuffer> {
  const binary = atob(base64);
  const bytes = new Uint8Array(binary.length);
  for (let at = 0; at < binary.length; ++at) bytes[at] = binary.charCodeAt(at);
  return bytes;
}

export function base64Of(bytes: Uint8Array): string {
  let binary = "";
  // In parts: a function takes only so many arguments.
  for (let at = 0; at < bytes.length; at += 0x8000) {
    binary += String.fromCharCode(...bytes.subarray(at, at + 0x8000));
  }
  return btoa(binary);
}

// What a program wrote, exactly: of an output of an outcome, or of the data of a stdout or stderr event.
export function bytesWritten(output: { text?: string; base64?: string }): Uint8Array {
  return output.base64 === undefined
    ? new TextEncoder().encode(output.text ?? "")
    : bytesOf(output.base64);
}

// The same as text; what is no UTF-8 becomes U+FFFD.
export function textWritten(output: { text?: string; base64?: string }): string {
  return new TextDecoder("utf-8", { ignoreBOM: true }).decode(bytesWritten(output));
}
