import * as grpc from '@grpc/grpc-js';
import type { Duplex } from 'node:stream';
import { internal, KmsError } from '../model/errors.ts';
import type { Caller } from '../model/iam/callers.ts';
import { dispatch, type DispatchDeps } from '../service/dispatch.ts';
import {
  iamMethods,
  keyManagementMethods,
  locationMethods,
  type Method,
  projectMethods,
} from '../service/methods.ts';
import type { Protos } from './protos.ts';

/** A gRPC server that listens on no port. The server's connections come from {@link accept}. */
export interface GrpcServer {
  accept(connection: Duplex): void;
  /** Waits for calls to end. After `forceAfter` milliseconds, aborts the calls that have not ended. */
  close(forceAfter: number): Promise<void>;
}

export function createGrpcServer(
  deps: DispatchDeps,
  protos: Protos,
  { caller, stopped }: { readonly caller: Caller; readonly stopped: AbortSignal },
): GrpcServer {
  const server = new grpc.Server();
  const serve = (definition: Protos['keyManagement'], methods: Readonly<Record<string, Method>>) => {
    const handlers = Object.keys(definition).map((name) => [name, unary(name, methods[name])] as const);
    server.addService(definition, Object.fromEntries(handlers));
  };
  const unary =
    (name: string, method: Method | undefined): grpc.handleUnaryCall<object, object> =>
    async (call, callback) => {
      const cancelled = new AbortController();
      call.on('cancelled', () => cancelled.abort());
      const signal = AbortSignal.any([stopped, cancelled.signal]);
      try {
        callback(null, await dispatch(deps, { name, method, request: call.request, caller, signal }));
      } catch (error) {
        callback(toGrpcStatus(error instanceof KmsError ? error : internal(), protos));
      }
    };
  serve(protos.keyManagement, keyManagementMethods);
  serve(protos.iamPolicy, iamMethods);
  serve(protos.locations, locationMethods);
  serve(protos.projects, projectMethods);

  const injector = server.createConnectionInjector(grpc.ServerCredentials.createInsecure());
  return {
    accept: (connection) => injector.injectConnection(connection),
    close: async (forceAfter) => {
      const forced = setTimeout(() => server.forceShutdown(), forceAfter);
      await new Promise<void>((resolve) => {
        server.tryShutdown(() => resolve());
      });
      clearTimeout(forced);
    },
  };
}

/** Returns the gRPC status of an error, with its typed details in `grpc-status-details-bin` as Google's services send them. */
function toGrpcStatus(error: KmsError, protos: Protos): grpc.StatusObject {
  const code = grpc.status[error.status];
  const metadata = new grpc.Metadata();
  const details = packed(error, protos);
  if (details.length > 0) {
    metadata.set(
      'grpc-status-details-bin',
      protos.encodeRpc('Status', { code, message: error.message, details }),
    );
  }
  return { code, details: error.message, metadata };
}

function packed({ details: { violations, info } }: KmsError, protos: Protos): object[] {
  const any = (name: string, message: object) => ({
    type_url: `type.googleapis.com/google.rpc.${name}`,
    value: protos.encodeRpc(name, message),
  });
  return [
    ...(violations === undefined ? [] : [any('PreconditionFailure', { violations })]),
    ...(info === undefined ? [] : [any('ErrorInfo', info)]),
  ];
}
