// Which lines two texts share.

export interface Line {
  sign: " " | "-" | "+";
  text: string;
}

const MOST_LINES = 1500;

// The longest common subsequence of lines; texts that are too long are cut.
export function difference(a: string, b: string): Line[] {
  const left = a.split("\n").slice(0, MOST_LINES);
  const right = b.split("\n").slice(0, MOST_LINES);
  const width = right.length + 1;
  const best = new Uint16Array((left.length + 1) * width);
  const at = (i: number, j: number) => best[i * width + j] ?? 0;
  for (let i = left.length - 1; i >= 0; --i) {
    for (let j = right.length - 1; j >= 0; --j) {
      best[i * width + j] =
        left[i] === right[j] ? at(i + 1, j + 1) + 1 : Math.max(at(i + 1, j), at(i, j + 1));
    }
  }
  const lines: Line[] = [];
  let i = 0;
  let j = 0;
  while (i < left.length || j < right.length) {
    if (i < left.length && j < right.length && left[i] === right[j]) {
      lines.push({ sign: " ", text: left[i] ?? "" });
      ++i;
      ++j;
    } else if (j >= right.length || (i < left.length && at(i + 1, j) >= at(i, j + 1))) {
      lines.push({ sign: "-", text: left[i++] ?? "" });
    } else {
      lines.push({ sign: "+", text: right[j++] ?? "" });
    }
  }
  return lines;
}
