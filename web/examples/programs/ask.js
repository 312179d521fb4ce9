const readline = require("node:readline");
const terminal = readline.createInterface({ input: process.stdin, output: process.stdout });

terminal.question("What is your name? ", (name) => {
  console.log(`Good to see you, ${name}.`);
  terminal.close();
});
