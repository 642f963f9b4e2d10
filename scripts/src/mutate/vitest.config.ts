import { defineConfig } from 'vitest/config';
import { BaseSequencer, type TestSpecification } from 'vitest/node';
import { projectRoot } from '../project.ts';
import { shared } from '../vitest.ts';
import { scopeNamed } from './scopes.ts';

const { tests } = scopeNamed(process.env['MUTATE_SCOPE']);

const place = ({ moduleId }: TestSpecification) => tests.findIndex((file) => moduleId.endsWith(`/${file}`));

/** Runs the scope's files in their order. */
class InOrder extends BaseSequencer {
  override async sort(specifications: TestSpecification[]): Promise<TestSpecification[]> {
    return specifications.toSorted((a, b) => place(a) - place(b));
  }
}

/** The settings for Vitest in Stryker. */
export default defineConfig({
  test: {
    ...shared,
    root: projectRoot,
    include: [...tests],
    reporters: [],
    // Each of the scopes' tests takes less than 10 s. A mutant that makes a test wait for ever costs this time.
    testTimeout: 30_000,
    sequence: { sequencer: InOrder },
  },
});
