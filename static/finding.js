// Labels of a project with too many to list: the server finds the few that fit what is typed.

export class Finder {
  #url;
  #also;
  #request = null;

  constructor(url, also = "") {
    this.#url = url;
    this.#also = also;
  }

  /** Let no answer come that is not there yet. */
  stop() {
    this.#request?.abort();
  }

  /** {labels, more} that fit, {labels: [], failed: true} without a server, null when overtaken by a later call. */
  async find(typed) {
    this.#request?.abort();
    const request = (this.#request = new AbortController());
    try {
      const answer = await fetch(`${this.#url}?q=${encodeURIComponent(typed)}${this.#also}`, { signal: request.signal });
      if (!answer.ok || answer.redirected) throw new Error(`The server answered ${answer.status}.`);
      const found = await answer.json();
      return request.signal.aborted ? null : found;
    } catch {
      return request.signal.aborted ? null : { labels: [], more: false, failed: true };
    }
  }
}

/** What stands where labels would. */
export function sentenceOf({ labels, more, failed }) {
  if (failed) return "The server did not answer. Type again in a moment.";
  if (!labels.length) return "No label fits.";
  return more ? "… and more: type on." : "";
}
