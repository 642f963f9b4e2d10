/** Patterns for one language's stack frames that do not belong to the application. */
interface LibraryFrames {
  readonly language: string;
  /** Matches the files of packages, the runtime and Temporal's SDK. */
  readonly place?: RegExp;
  /**
   * Matches the functions of packages, the runtime and Temporal's SDK, for languages whose frames do not
   * contain the whole path.
   */
  readonly call?: RegExp;
  /** The library or documentation from which the patterns are taken. */
  readonly source: string;
}

/** One rule for each language with a Temporal SDK. Frames of Temporal's SDK also count as library frames. */
export const libraryFrames: readonly LibraryFrames[] = [
  {
    language: 'JavaScript',
    // `index 0` is an element of `Promise.all`; `<anonymous>` and `native` are functions of the JavaScript
    // engine.
    place:
      /(?:^|[\\/])node_modules[\\/]|@temporalio[\\/]|^(?:node:|internal[\\/]|webpack-internal:)|^(?:<anonymous>|native|index \d+)$/,
    source: 'filenameIsInApp of getsentry/sentry-javascript',
  },
  {
    language: 'Python',
    place: /[\\/](?:site|dist)-packages[\\/]|[\\/]lib[\\/]python\d|^<frozen /,
    source: '_is_external_source of getsentry/sentry-python; https://docs.python.org/3/library/site.html',
  },
  {
    language: 'Go',
    place:
      /[\\/](?:vendor|third_party)[\\/]|[\\/]go[\\/]pkg[\\/]mod[\\/]|@v\d+\.\d+\.\d+[^\\/]*[\\/]|[\\/]usr[\\/](?:local|lib)[\\/]go[^\\/]*[\\/]src[\\/]|[\\/]go[\\/]src[\\/]runtime[\\/]/,
    call: /^(?:panic$|(?:runtime|reflect|testing|go\.temporal\.io)[./])/,
    source: 'isInAppFrame of getsentry/sentry-go; https://go.dev/ref/mod#module-cache',
  },
  {
    language: 'Java',
    call: /^(?:app\/\/)?(?:java|javax|jdk|sun|com\.sun|kotlin|kotlinx|scala|groovy|io\.grpc|io\.temporal)[./]/,
    source: "the default in-app excludes of Sentry's Java SDK",
  },
  {
    language: '.NET',
    call: /^(?:System|Microsoft|Temporalio)\./,
    source: 'InAppExclude of getsentry/sentry-dotnet',
  },
  {
    language: 'Ruby',
    place: /[\\/]gems[\\/]|[\\/]lib[\\/]ruby[\\/]|^<internal:/,
    source: 'https://guides.rubygems.org/command-reference/#gem-environment',
  },
  {
    language: 'PHP',
    place: /[\\/]vendor[\\/]/,
    source: 'https://getcomposer.org/doc/06-config.md#vendor-dir',
  },
];

/** Whether a frame belongs to a library, the runtime or Temporal's SDK. */
export const isLibraryFrame = (call: string, place: string): boolean =>
  libraryFrames.some((row) => row.place?.test(place) || row.call?.test(call.replace(/^async /, '')));
