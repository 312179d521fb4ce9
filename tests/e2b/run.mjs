// `node run.mjs NAME`: one scenario.
import * as scenarios from './scenarios.mjs';

await scenarios[process.argv[2]]();
process.exit(); // the package leaves timers of requests that were refused
