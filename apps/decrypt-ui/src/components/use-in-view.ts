import { type RefCallback, useCallback, useState } from 'react';

/** Whether the element that gets the ref is in view, or within 120 px of it. */
export function useInView(): [RefCallback<Element>, boolean] {
  const [inView, setInView] = useState(false);
  const ref = useCallback((element: Element | null) => {
    if (!element) return undefined;
    const observer = new IntersectionObserver(
      (entries) => setInView(entries.some((entry) => entry.isIntersecting)),
      { rootMargin: '120px' },
    );
    observer.observe(element);
    return () => observer.disconnect();
  }, []);
  return [ref, inView];
}
