// Whether a program looks as if it reads what somebody types. A guess, for the choice between a text
// beforehand and a terminal; the person can choose otherwise.

const SIGNS: Record<string, RegExp> = {
  python: /\binput\s*\(|\bsys\.stdin\b|\bfileinput\b/,
  javascript: /\bprocess\.stdin\b|\breadline\b|\/dev\/stdin|readFileSync\s*\(\s*0/,
  typescript: /\bprocess\.stdin\b|\breadline\b|\/dev\/stdin|readFileSync\s*\(\s*0/,
  c: /\bscanf\s*\(|\bgetchar\s*\(|\bfgets\s*\(|\bgetline\s*\(|\bread\s*\(\s*0|\bstdin\b/,
  cpp: /\bcin\b|\bscanf\s*\(|\bgetchar\s*\(|\bgetline\s*\(|\bstdin\b/,
  java: /\bSystem\.in\b|\bSystem\.console\b|\breadln\s*\(/,
  bash: /(^|[;&|(]|\bwhile|\bif|\bdo|\bthen)\s*read\b|\bselect\s+\w+\s+in\b|\/dev\/stdin/m,
  perl: /<STDIN>|<>/,
  go: /\bos\.Stdin\b|\bfmt\.Scan/,
  rust: /\bstdin\s*\(/,
  ruby: /\bgets\b|\bSTDIN\b|\$stdin\b/,
  php: /\bSTDIN\b|\breadline\s*\(|php:\/\/stdin/,
  lua: /\bio\.(read|lines|stdin)\b/,
  r: /\breadLines\s*\(|\bscan\s*\(|\bstdin\b|\breadline\s*\(/,
};

export function readsInput(language: string, texts: readonly string[]): boolean {
  const sign = SIGNS[language];
  return sign !== undefined && texts.some((text) => sign.test(text));
}
