import type { Readable } from 'node:stream';
import type { Store } from './configuration.ts';

export interface ReadOptions {
  /** Limit on the bytes to read from the object's beginning. Default: the whole object. */
  readonly bytes?: number | undefined;
  /** Ends the request. */
  readonly signal: AbortSignal;
}

export interface OpenObject {
  /** Size that the store declares for the content that follows, in bytes. */
  readonly size: number | undefined;
  /** Bytes. Destroying the stream releases the connection. */
  readonly content: Readable;
}

export interface ListedName {
  readonly object: string;
  readonly sizeBytes: number;
  readonly modified: Date;
}

/** Runs the request of one page of a listing, with the signal that ends it. */
export type PageRunner = <T>(request: (signal: AbortSignal) => Promise<T>) => Promise<T>;

/** Reads objects of one kind of store. Its methods throw `ReaderError`, or the signal's reason. */
export interface ObjectReader {
  open(object: string, options: ReadOptions): Promise<OpenObject>;
  list(prefix: string, runPage: PageRunner): AsyncIterable<ListedName>;
  close(): void;
}

export type ConnectReader = (store: Store) => Promise<ObjectReader>;

/**
 * Why a store did not return an object. The message says what the store answered; it contains no text of the
 * response and no network address.
 */
export class ReaderError extends Error {
  override readonly name = 'ReaderError';
  readonly code: 'not_found' | 'unavailable';

  constructor(code: ReaderError['code'], message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}
