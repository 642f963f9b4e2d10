#!/usr/bin/env -S node --disable-sigusr1 --
import { createInterface } from 'node:readline/promises';
import { runCli } from './run-cli.ts';

// If the program that reads a pipe, such as `head`, has ended, this process ends as if killed by SIGPIPE.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error;
  process.exit(141);
});

process.exitCode = await runCli(process.argv.slice(2), {
  env: process.env,
  now: () => new Date(),
  stdin: () => process.stdin,
  stdout: (text) => void process.stdout.write(text),
  stderr: (text) => void process.stderr.write(text),
  isTerminal: process.stdin.isTTY && process.stderr.isTTY,
  showsOutput: process.stdout.isTTY,
  ask: async (question) => {
    const terminal = createInterface({ input: process.stdin, output: process.stderr });
    try {
      return await terminal.question(question);
    } finally {
      terminal.close();
    }
  },
});
