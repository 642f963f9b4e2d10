import { MemoryBudget } from '../../src/memory/budget.ts';

/** More than a test needs. */
export const memory = new MemoryBudget(2 ** 30);
