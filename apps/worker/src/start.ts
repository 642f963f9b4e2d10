#!/usr/bin/env node
import { createStarterProgram } from './starter/program.ts';

try {
  await createStarterProgram((line) => process.stdout.write(`${line}\n`)).parseAsync();
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
}
