import type { Readable } from 'node:stream';
import type { Store } from './configuration.ts';

export interface ReadOptions {
  /**
   * Maximum number of bytes to read from the beginning of the object. By default, the whole object is read.
   */
  readonly bytes?: number | undefined;
  /** Aborts the request. */
  readonly signal: AbortSignal;
}

export interface OpenObject {
  /** Size that the store declares for the content that follows, in bytes. */
  readonly size: number | undefined;
  /**
   * Size that the store declares for the whole object, even if the content is only the object's beginning.
   */
  readonly objectSize: number | undefined;
  /** The stream of bytes. Destroying the stream releases the connection. */
  readonly content: Readable;
}

export interface ListedName {
  readonly object: string;
  readonly sizeBytes: number;
  readonly modified: Date;
}

/** Makes the request for one page of a listing, with the signal that aborts it. */
export type PageRunner = <T>(request: (signal: AbortSignal) => Promise<T>) => Promise<T>;

/** Reads objects of one kind of store. The methods throw `ReaderError`, or the signal's reason. */
export interface ObjectReader {
  open(object: string, options: ReadOptions): Promise<OpenObject>;
  list(prefix: string, runPage: PageRunner): AsyncIterable<ListedName>;
  close(): void;
}

export type ConnectReader = (store: Store) => Promise<ObjectReader>;

/**
 * Why a store did not return an object. The message describes the store's response, but contains no text of
 * the response and no network address.
 */
export class ReaderError extends Error {
  override readonly name = 'ReaderError';
  readonly code: 'not_found' | 'forbidden' | 'unavailable';

  constructor(code: ReaderError['code'], message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}
