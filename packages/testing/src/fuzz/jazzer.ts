/**
 * Fuzzes one target with Jazzer.js: `node jazzer.ts NAME.fuzz.ts -- [libFuzzer's options and folders]`. Exits with
 * status 77 if an input violates a property of the target.
 */
import { register } from 'node:module';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import { OptionsManager, OptionSource, startFuzzing } from '@jazzer.js/core';
import { projectRoot } from '@temporal-kms/scripts/project';

const {
  positionals: [target = '', ...fuzzerOptions],
  values: { id_sync_file: idSyncFile = '' },
} = parseArgs({
  allowPositionals: true,
  // While libFuzzer merges corpora, Jazzer.js starts this program again, with this option.
  options: { id_sync_file: { type: 'string' } },
});

// The path with which Jazzer.js starts this program again.
process.argv[0] = process.env['FUZZ_NODE'] ?? process.execPath;

// Registers this loader before Jazzer.js registers its own, so that Jazzer.js's loader receives this loader's
// result.
register('./strip-types.ts', import.meta.url);
const options = new OptionsManager(OptionSource.DefaultCLIOptions).merge(
  {
    fuzzTarget: pathToFileURL(target).href,
    fuzzerOptions,
    idSyncFile,
    includes: [join(projectRoot, 'packages/'), join(projectRoot, 'apps/'), '/node_modules/yaml/'],
    excludes: ['/test/', '/packages/testing/'],
    // Turns off Jazzer.js's bug detectors. The bug detectors transform every module, which takes half a
    // minute, and the targets themselves check the relevant properties.
    disableBugDetectors: ['.*'],
  },
  OptionSource.CommandLineArguments,
);
const { returnCode } = await startFuzzing(options);
process.exit(returnCode);
