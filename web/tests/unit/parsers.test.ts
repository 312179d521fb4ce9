import { zipSync } from "fflate";
import { describe, expect, it } from "vitest";
import { base64Of, bytesOf } from "../../src/api";
import { imageType, kindOf, parseTable } from "../../src/artifacts";
import { difference } from "../../src/difference";
import { buckets, byLabel, parseMetrics, quantile, total } from "../../src/metrics";
import { placesIn } from "../../src/problems";
import { readsInput } from "../../src/reads";
import { EventParser } from "../../src/sse";
import { fileOf, unpack, withoutCommonFolder } from "../../src/upload";

describe("server-sent events", () => {
  const text =
    'id: 1\nevent: status\ndata: {"state":"queued"}\n\n: still here\n\nid: 2\nevent: stdout\ndata: {"text":"a"}\n\n';
  const wanted = [
    { id: 1, name: "status", data: '{"state":"queued"}' },
    { id: 2, name: "stdout", data: '{"text":"a"}' },
  ];
  it("come out whole, wherever they are cut", () => {
    for (let size = 1; size < text.length; ++size) {
      const parser = new EventParser();
      const events = [];
      for (let at = 0; at < text.length; at += size) {
        events.push(...parser.push(text.slice(at, at + size)));
      }
      expect(events).toEqual(wanted);
    }
  });
  it("are not told before their end", () => {
    expect(new EventParser().push("id: 3\nevent: stdout\ndata: {}\n")).toEqual([]);
  });
});

describe("places in a program", () => {
  const first = (text: string, file: string) => placesIn(text, [file])[0];
  it.each([
    ["/box/main.c:1:18: error: ‘retur’ undeclared\n", "main.c", 1, 18, "‘retur’ undeclared"],
    ["/box/main.c:3:5: warning: unused\n", "main.c", 3, 5, "unused"],
    ["/box/Main.java:7: error: ';' expected\n", "Main.java", 7, 1, "';' expected"],
    [
      'Traceback\n  File "/box/main.py", line 2, in f\n    1/0\nZeroDivisionError: by zero\n',
      "main.py",
      2,
      1,
      "ZeroDivisionError: by zero",
    ],
    [
      '  File "/box/main.py", line 9\n    x x\nSyntaxError: invalid syntax\n',
      "main.py",
      9,
      1,
      "SyntaxError: invalid syntax",
    ],
    [
      "/box/main.js:4\nlet x = ;\n        ^\n\nSyntaxError: Unexpected token ';'\n",
      "main.js",
      4,
      1,
      "SyntaxError: Unexpected token ';'",
    ],
    ["Global symbol at /box/main.pl line 5.\n", "main.pl", 5, 1, "Global symbol"],
    ["/box/main.sh: line 3: foo: command not found\n", "main.sh", 3, 1, "foo: command not found"],
    [
      "error[E0425]: cannot find value\n --> /box/main.rs:2:9\n",
      "main.rs",
      2,
      9,
      "cannot find value",
    ],
    ["./main.go:6:2: undefined: x\n", "main.go", 6, 2, "undefined: x"],
    ["lua5.4: /box/main.lua:3: attempt to call\n", "main.lua", 3, 1, "attempt to call"],
    [
      "PHP Parse error:  syntax error in /box/main.php on line 4\n",
      "main.php",
      4,
      1,
      "syntax error",
    ],
    ["main.ts(2,7): error TS2322: Type 'a' is not\n", "main.ts", 2, 7, "Type 'a' is not"],
  ])("%j", (text, path, line, column, message) => {
    expect(first(text, path)).toMatchObject({ path, line, column, message });
  });
  it("are of the program's own files, and notes are left out", () => {
    expect(
      placesIn("/usr/include/stdio.h:3:1: error: x\n/box/main.c:1:2: note: here\n", ["main.c"]),
    ).toEqual([]);
  });
  it("stay within reason for what a program printed to confuse", () => {
    expect(placesIn("main.c:1:1: error: x\n".repeat(10_000), ["main.c"]).length).toBe(100);
    expect(placesIn(`${"a".repeat(150_000)}\n${":".repeat(40_000)}`, ["main.c"])).toEqual([]);
  });
});

describe("metrics", () => {
  const text = `# HELP a b
belljar_runs_total{language="python",status="ok"} 3
belljar_runs_total{language="c",status="ok"} 2
belljar_runs_total{language="c",status="a \\"quoted\\" one"} 1
h_bucket{le="0.1"} 2
h_bucket{le="0.2"} 4
h_bucket{le="+Inf"} 4
belljar_ready 1
`;
  const samples = parseMetrics(text);
  it("are read with their labels", () => {
    expect(total(samples, "belljar_runs_total")).toBe(6);
    expect(total(samples, "belljar_runs_total", { language: "c" })).toBe(3);
    expect(byLabel(samples, "belljar_runs_total", "status")).toEqual([
      ["ok", 5],
      ['a "quoted" one', 1],
    ]);
  });
  it("give quantiles of what came since", () => {
    expect(quantile(0.5, buckets(samples, [], "h"))).toBeCloseTo(0.1);
    expect(quantile(0.75, buckets(samples, [], "h"))).toBeCloseTo(0.15);
    expect(quantile(0.5, buckets(samples, samples, "h"))).toBeNull();
  });
});

describe("files", () => {
  it("are known by what is in them", () => {
    const png = new Uint8Array([0x89, 0x50, 0x4e, 0x47, 0]);
    expect(imageType("a.txt", png)).toBe("image/png");
    expect(kindOf("a.csv", new TextEncoder().encode("a,b"))).toBe("table");
    expect(kindOf("a.HTML", new TextEncoder().encode("<p>"))).toBe("html");
    expect(kindOf("noname", new TextEncoder().encode("text"))).toBe("text");
    expect(kindOf("noname", new Uint8Array([1, 0, 2]))).toBe("other");
  });
  it("have tables as RFC 4180 says", () => {
    expect(parseTable('a,"b ""c"", d"\r\n1,"two\nlines"\n', ",")).toEqual([
      ["a", 'b "c", d'],
      ["1", "two\nlines"],
    ]);
    expect(parseTable("a\tb", "\t")).toEqual([["a", "b"]]);
    expect(parseTable("1\n".repeat(1000), ",", 5).length).toBe(5);
  });
  it("are taken out of a zip without its folder", async () => {
    const zip = zipSync({
      "p/main.py": new TextEncoder().encode("print(1)"),
      "p/x.bin": new Uint8Array([0, 200]),
    });
    expect(await unpack(zip)).toEqual([
      { path: "main.py", text: "print(1)" },
      { path: "x.bin", text: "", base64: "AMg=" },
    ]);
    expect(withoutCommonFolder(["a/b", "c"])).toEqual(["a/b", "c"]);
  });
  it("are refused when there are too many", async () => {
    const many = Object.fromEntries(
      Array.from({ length: 201 }, (_, index) => [`f${index}`, new Uint8Array(1)]),
    );
    await expect(unpack(zipSync(many))).rejects.toThrow("200 files");
  });
  it("go as base64 where they are no text", () => {
    const bytes = Uint8Array.from({ length: 70_000 }, (_, index) => index % 256);
    expect(bytesOf(base64Of(bytes))).toEqual(bytes);
    expect(fileOf("a", bytes).base64).toBeDefined();
  });
});

describe("guesses and differences", () => {
  it("know a program that reads", () => {
    expect(readsInput("python", ["x = input()"])).toBe(true);
    expect(readsInput("python", ["print('input')"])).toBe(false);
    expect(readsInput("c", ['scanf("%d", &x);'])).toBe(true);
    expect(readsInput("bash", ["echo read\nread -r x"])).toBe(true);
    expect(readsInput("bash", ["echo ready"])).toBe(false);
  });
  it("say which lines two texts share", () => {
    expect(difference("a\nb\nc", "a\nc\nd").map((line) => line.sign + line.text)).toEqual([
      " a",
      "-b",
      " c",
      "+d",
    ]);
    expect(difference("same", "same")).toEqual([{ sign: " ", text: "same" }]);
  });
});
