import { replay, targetsIn } from '@temporal-kms/testing/fuzz';
import { expect, it } from 'vitest';

it.each(await targetsIn(import.meta.dirname))(
  '$name violates no property for its corpus, which reaches every outcome',
  async (target) => expect(await replay(target)).toEqual([]),
);
