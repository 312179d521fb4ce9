// Reserves the address space of a WebAssembly memory, which V8 does ten gigabytes at a time (T009).
const memory = new WebAssembly.Memory({ initial: 1, maximum: 65536 });
console.log(`attempt wasm memory: ${memory.buffer.byteLength === 65536 ? "ok" : "small"}`);
