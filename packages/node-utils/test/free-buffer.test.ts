import { describe, expect, it } from 'vitest';
import { freeBuffer, freeShared } from '../src/free-buffer.ts';

describe('freeBuffer', () => {
  it('frees bytes that occupy a whole buffer, even if they are freed again', () => {
    const bytes = Buffer.allocUnsafeSlow(100);
    freeBuffer(bytes);
    freeBuffer(bytes);
    expect([bytes.length, bytes.buffer]).toEqual([0, expect.objectContaining({ detached: true })]);
  });

  it('does not free a buffer that other bytes share', () => {
    const bytes = Buffer.from('ab').subarray(0, 1);
    freeBuffer(bytes);
    expect(bytes.toString()).toBe('a');
  });
});

describe('freeShared', () => {
  it('frees a buffer with all its views', () => {
    const bytes = Buffer.allocUnsafeSlow(100);
    const view = bytes.subarray(10);
    freeShared(bytes.buffer);
    expect(view.length).toBe(0);
  });
});
