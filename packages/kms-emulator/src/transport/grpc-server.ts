import * as grpc from '@grpc/grpc-js';
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
import { cannotListen } from '../host.ts';
import type { Protos } from './protos.ts';

/** A gRPC port. All its calls belong to one caller, because insecure clients send no credentials. */
export interface GrpcPort {
  readonly port: number;
  close(): Promise<void>;
}

const CLOSE_AFTER = 500;

/** Listens on a gRPC port for one caller. @throws Error if the port is in use */
export async function listen(
  deps: DispatchDeps,
  protos: Protos,
  { host, port, caller }: { host: string; port: number; caller: Caller },
): Promise<GrpcPort> {
  const stopped = new AbortController();
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
      const signal = AbortSignal.any([stopped.signal, cancelled.signal]);
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

  const bound = await new Promise<number>((resolve, reject) => {
    const address = host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
    server.bindAsync(address, grpc.ServerCredentials.createInsecure(), (error, boundPort) => {
      if (error === null) resolve(boundPort);
      else reject(cannotListen(address, error));
    });
  });

  const close = async () => {
    stopped.abort();
    const forced = setTimeout(() => server.forceShutdown(), CLOSE_AFTER);
    await new Promise<void>((resolve) => {
      server.tryShutdown(() => resolve());
    });
    clearTimeout(forced);
  };
  return { port: bound, close };
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
