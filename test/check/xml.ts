/** An element of an XML document. */
export interface XmlElement {
  readonly name: string;
  readonly attributes: Readonly<Record<string, string>>;
  readonly children: XmlElement[];
  text: string;
}

/** Characters of XML 1.0. */
const CHARACTERS = /^[\t\n\r\u{20}-\u{d7ff}\u{e000}-\u{fffd}\u{10000}-\u{10ffff}]*$/u;
const NAME = '[A-Za-z_][-\\w.]*';
const TOKEN = new RegExp(`<(/?)(${NAME})((?:\\s+${NAME}="[^"<]*")*)\\s*(/?)>|([^<]+)`, 'y');
const ATTRIBUTE = new RegExp(`(${NAME})="([^"]*)"`, 'g');
const ENTITIES: Readonly<Record<string, string>> = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'" };

/** Reads XML without DTD, comments and CDATA. Throws where it is not well-formed. */
export function readXml(xml: string): XmlElement {
  if (!CHARACTERS.test(xml)) throw new Error('a character that XML does not have');
  const prolog = /^<\?xml version="1\.0" encoding="UTF-8"\?>\s*/.exec(xml);
  if (!prolog) throw new Error('no XML declaration');
  const document: XmlElement = { name: '', attributes: {}, children: [], text: '' };
  const stack = [document];
  TOKEN.lastIndex = prolog[0].length;
  while (TOKEN.lastIndex < xml.length) {
    const at = TOKEN.lastIndex;
    const token = TOKEN.exec(xml);
    if (!token) throw new Error(`not well-formed at ${at}: ${JSON.stringify(xml.slice(at, at + 40))}`);
    const [, isEnd, name, attributes = '', isEmpty, text] = token;
    const parent = stack.at(-1)!;
    if (text !== undefined) {
      if (text.includes(']]>')) throw new Error(`"]]>" in text at ${at}`);
      parent.text += plain(text);
    } else if (isEnd) {
      if (parent.name !== name || attributes !== '')
        throw new Error(`</${name}> at ${at} ends <${parent.name}>`);
      stack.pop();
    } else {
      const pairs = [...attributes.matchAll(ATTRIBUTE)].map(
        ([, key, value]) => [key!, plain(value!)] as const,
      );
      if (new Set(pairs.map(([key]) => key)).size !== pairs.length)
        throw new Error(`an attribute twice at ${at}`);
      const element: XmlElement = {
        name: name!,
        attributes: Object.fromEntries(pairs),
        children: [],
        text: '',
      };
      parent.children.push(element);
      if (!isEmpty) stack.push(element);
    }
  }
  const [root] = document.children;
  if (stack.length !== 1 || !root || document.children.length !== 1 || document.text.trim() !== '')
    throw new Error('not one element');
  return root;
}

function plain(text: string): string {
  return text.replace(/&([^;]*);?/g, (reference, name: string) => {
    const number = /^#(\d+)$/.exec(name)?.[1];
    const found = number ? String.fromCodePoint(Number(number)) : ENTITIES[name];
    if (found === undefined || !reference.endsWith(';')) throw new Error(`no entity: ${reference}`);
    return found;
  });
}
