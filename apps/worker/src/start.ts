#!/usr/bin/env node
import { messageOf } from '@temporal-kms/node-utils/error-details';
import { createStarterProgram } from './starter/program.ts';

const program = createStarterProgram({
  print: (line) => process.stdout.write(`${line}\n`),
  env: process.env,
});
try {
  await program.parseAsync();
} catch (error) {
  process.stderr.write(`${messageOf(error)}\n`);
  process.exitCode = 1;
}
