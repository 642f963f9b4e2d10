import { replay, targetsIn } from '@temporal-kms/testing/fuzz';
import { expect, it } from 'vitest';

it.each(await targetsIn(import.meta.dirname))(
  'finds no violated property with the corpus of $name, which reaches every outcome',
  async (target) => expect(await replay(target)).toEqual([]),
);
