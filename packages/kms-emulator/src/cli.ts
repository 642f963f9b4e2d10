#!/usr/bin/env node
import { Command } from 'commander';
import { addCommands } from './cli/commands.ts';

await addCommands(new Command('kms-emulator')).parseAsync();
