import type { Service, Type } from 'protobufjs';
import {
  iamMethods,
  keyManagementMethods,
  locationMethods,
  projectMethods,
  type Method,
} from '../../service/methods.ts';
import type { RestServices } from '../protos.ts';

/** The parsed HTTP rule of a method (`google.api.HttpRule`). */
export interface RestRoute {
  /** The name of the RPC. */
  readonly name: string;
  /** The implementation; undefined if the emulator does not implement the RPC. */
  readonly method: Method | undefined;
  readonly verb: string;
  readonly path: RegExp;
  /** The request field that each capturing group of `path` sets, such as `crypto_key.name`. */
  readonly variables: readonly string[];
  /**
   * The field that the body contains; `*` if the body contains the whole request, and undefined if there is
   * no body.
   */
  readonly body: string | undefined;
  readonly request: Type;
  readonly response: Type;
}

type Rule = Readonly<Record<string, unknown>>;

const verbs = ['get', 'post', 'patch', 'put', 'delete'] as const;

/**
 * Returns the routes of all services. The routes of Cloud KMS and of the locations service come from proto
 * annotations.
 */
export const restRoutes = ({ keyManagement, locations, iamPolicy }: RestServices): RestRoute[] => [
  ...annotated(keyManagement, keyManagementMethods),
  ...annotated(locations, locationMethods),
  ...policies(iamPolicy, iamMethods, 'v1', 'projects/*/locations/**'),
  ...policies(iamPolicy, projectMethods, 'v1', 'projects/*'),
  ...policies(iamPolicy, projectMethods, 'v3', 'projects/*'),
];

const annotated = (service: Service, methods: Readonly<Record<string, Method>>): RestRoute[] =>
  service.methodsArray.flatMap(({ name, parsedOptions }) => {
    const options: readonly Rule[] = parsedOptions ?? [];
    const rules = options.flatMap((option) => rulesOf(option['(google.api.http)']));
    return rules.flatMap((rule) => route(service, name, methods[name], rule));
  });

function rulesOf(http: unknown): Rule[] {
  if (typeof http !== 'object' || http === null) return [];
  const { additional_bindings: more, ...first }: Rule = { ...http };
  return [first, ...[more ?? []].flat().flatMap(rulesOf)];
}

/**
 * Routes for policies, because IAM's annotations belong to a service that no client calls. Clients read a
 * policy from Cloud KMS with GET, and from Resource Manager with POST. Google's client for Node.js uses POST
 * for both services.
 */
const policies = (
  service: Service,
  methods: Readonly<Record<string, Method>>,
  version: string,
  resource: string,
): RestRoute[] => {
  const path = (verb: string) => `/${version}/{resource=${resource}}:${verb}`;
  const rules: readonly (readonly [string, Rule])[] = [
    ['GetIamPolicy', { get: path('getIamPolicy') }],
    ['GetIamPolicy', { post: path('getIamPolicy'), body: '*' }],
    ['SetIamPolicy', { post: path('setIamPolicy'), body: '*' }],
    ['TestIamPermissions', { post: path('testIamPermissions'), body: '*' }],
  ];
  return rules.flatMap(([name, rule]) => route(service, name, methods[name], rule));
};

function route(service: Service, name: string, method: Method | undefined, rule: Rule): RestRoute[] {
  const rpc = service.methods[name];
  rpc?.resolve();
  const verb = verbs.find((one) => typeof rule[one] === 'string');
  if (!rpc?.resolvedRequestType || !rpc.resolvedResponseType || verb === undefined) return [];
  return [
    {
      name,
      method,
      verb: verb.toUpperCase(),
      ...pathOf(String(rule[verb])),
      body: typeof rule['body'] === 'string' ? rule['body'] : undefined,
      request: rpc.resolvedRequestType,
      response: rpc.resolvedResponseType,
    },
  ];
}

/**
 * Parses a path template, such as `/v1/{name=projects/*}:verb`. `*` matches one segment, and `**` matches the
 * rest of the path.
 */
function pathOf(template: string): { path: RegExp; variables: string[] } {
  const variables: string[] = [];
  const pattern = template.replaceAll(/\{([^=}]+)=([^}]+)\}/g, (_, field: string, segments: string) => {
    variables.push(field);
    return `(${segments.replaceAll(/\*\*?/g, (stars) => (stars === '*' ? '[^/]+' : '.+'))})`;
  });
  // If the template has no verb, the last segment must not contain a colon, because
  // `…/keyRings/r:getIamPolicy` does not name a key ring `r:getIamPolicy`.
  return { path: new RegExp(`^${pattern.replace(/\[\^\/\]\+\)$/, '[^/:]+)')}$`), variables };
}
