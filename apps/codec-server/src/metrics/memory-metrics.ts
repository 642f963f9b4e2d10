import type { Meter } from '@opentelemetry/api';
import type { MemoryBudget } from '../memory/budget.ts';

export type MemoryUse = Pick<MemoryBudget, 'bytes' | 'held' | 'waits' | 'refusals'>;

/** What requests in flight hold of their memory, and how often it was not enough. */
export function memoryMetrics(meter: Meter, memory: MemoryUse): void {
  meter
    .createObservableGauge('codec_memory_budget_bytes', {
      description: 'Memory that requests in flight may hold together',
    })
    .addCallback((result) => result.observe(memory.bytes));
  meter
    .createObservableGauge('codec_memory_in_use_bytes', {
      description: 'Memory that requests in flight hold, as estimated',
    })
    .addCallback((result) => result.observe(memory.held));
  meter
    .createObservableCounter('codec_memory_waits', { description: 'Waits of streams for memory' })
    .addCallback((result) => result.observe(memory.waits));
  meter
    .createObservableCounter('codec_memory_refusals', {
      description: 'Requests and payloads that were refused for the memory that they would take',
    })
    .addCallback((result) => {
      for (const [code, count] of Object.entries(memory.refusals)) result.observe(count, { code });
    });
}
