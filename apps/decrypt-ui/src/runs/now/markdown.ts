import createDomPurify from 'dompurify';
import { Marked } from 'marked';

const marked = new Marked({ gfm: true });

const purify = createDomPurify(window);
// A page that opens must neither control this page nor learn its address.
purify.addHook('afterSanitizeAttributes', (element) => {
  if (element.tagName !== 'A') return;
  element.setAttribute('target', '_blank');
  element.setAttribute('rel', 'noopener noreferrer');
});

/** No image: the request for it would tell another server that somebody reads this run. */
const tags =
  'a blockquote br code del em h1 h2 h3 h4 h5 h6 hr li ol p pre strong table tbody td th thead tr ul'.split(
    ' ',
  );

/** Characters. Longer Markdown is shown as text: its parser takes more than linear time. */
export const MAX_MARKDOWN = 20_000;

/** Returns Markdown as elements: no script, style or image, and links only to http, https and e-mail addresses. */
export const renderMarkdown = (text: string): DocumentFragment =>
  purify.sanitize(marked.parse(text, { async: false }), {
    ALLOWED_TAGS: tags,
    ALLOWED_ATTR: ['href', 'start'],
    ALLOWED_URI_REGEXP: /^(?:https?|mailto):/i,
    ALLOW_DATA_ATTR: false,
    ALLOW_ARIA_ATTR: false,
    RETURN_DOM_FRAGMENT: true,
  });
