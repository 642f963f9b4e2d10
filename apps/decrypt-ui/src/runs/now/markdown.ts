import { escapeInText } from '@temporal-kms/codec-api';
import createDomPurify from 'dompurify';
import { Marked } from 'marked';

const marked = new Marked({ gfm: true });

const purify = createDomPurify(window);
// The page that a link opens must neither control this page nor learn its address.
purify.addHook('afterSanitizeAttributes', (element) => {
  if (element.tagName !== 'A') return;
  element.setAttribute('target', '_blank');
  element.setAttribute('rel', 'noopener noreferrer');
});

/** The permitted tags. Images are not permitted: loading one would tell another server that this run is being viewed. */
const tags =
  'a blockquote br code del em h1 h2 h3 h4 h5 h6 hr li ol p pre strong table tbody td th thead tr ul'.split(
    ' ',
  );

/** Maximum length of a parsed text in characters, because the parser's time grows with the square of the length. */
const MAX_MARKDOWN = 5000;

/**
 * Renders Markdown as elements, without scripts, styles or images, and with links only to http, https and
 * e-mail addresses. Returns undefined if the text is too long or the parser rejects it, for example because of
 * deep nesting.
 */
export function renderMarkdown(text: string): DocumentFragment | undefined {
  if (text.length > MAX_MARKDOWN) return undefined;
  try {
    return withVisibleText(sanitized(text));
  } catch {
    return undefined;
  }
}

const sanitized = (text: string): DocumentFragment =>
  purify.sanitize(marked.parse(text, { async: false }), {
    ALLOWED_TAGS: tags,
    ALLOWED_ATTR: ['href', 'start'],
    ALLOWED_URI_REGEXP: /^(?:https?|mailto):/i,
    ALLOW_DATA_ATTR: false,
    ALLOW_ARIA_ATTR: false,
    RETURN_DOM_FRAGMENT: true,
  });

/** Escapes invisible characters again: Markdown can write them as character references. */
function withVisibleText(fragment: DocumentFragment): DocumentFragment {
  const texts = document.createTreeWalker(fragment, NodeFilter.SHOW_TEXT);
  while (texts.nextNode()) texts.currentNode.nodeValue = escapeInText(texts.currentNode.nodeValue ?? '');
  return fragment;
}
