//! Components that no compiler writes, put together byte by byte.

/// A component with one module.
pub(crate) fn around(module: &[u8]) -> Vec<u8> {
    let mut component = b"\0asm\x0d\0\x01\0".to_vec();
    section(&mut component, 1, module);
    component
}

/// A module with one function: these instructions, behind which it ends. It may be the module's start function.
pub(crate) fn module(instructions: &[u8], starts: bool) -> Vec<u8> {
    // No locals, and the end.
    let body = [&[0x00], instructions, &[0x0b]].concat();
    let code = [leb(1), leb(body.len()), body].concat();
    let mut module = b"\0asm\x01\0\0\0".to_vec();
    section(&mut module, 1, &[0x01, 0x60, 0x00, 0x00]);
    section(&mut module, 3, &[0x01, 0x00]);
    if starts {
        section(&mut module, 8, &[0x00]);
    }
    section(&mut module, 10, &code);
    module
}

/// A whole component that makes an instance of one more module when it is instantiated.
pub(crate) fn with_one_more(component: &[u8], module: &[u8]) -> Vec<u8> {
    let modules = modules(component);
    let mut component = component.to_vec();
    section(&mut component, 1, module);
    // One core instance: of that module, without arguments.
    section(&mut component, 2, &[vec![0x01, 0x00], leb(modules), vec![0x00]].concat());
    component
}

/// How many modules a component holds.
fn modules(component: &[u8]) -> usize {
    let (mut at, mut count) = (8, 0);
    while at < component.len() {
        let id = component[at];
        let (mut length, mut shift) = (0, 0);
        loop {
            at += 1;
            length |= usize::from(component[at] & 0x7f) << shift;
            shift += 7;
            if component[at] & 0x80 == 0 {
                break;
            }
        }
        at += 1 + length;
        count += usize::from(id == 1);
    }
    count
}

fn section(out: &mut Vec<u8>, id: u8, content: &[u8]) {
    out.push(id);
    out.extend(leb(content.len()));
    out.extend(content);
}

fn leb(mut number: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    loop {
        let low = u8::try_from(number & 0x7f).expect("seven bits");
        number >>= 7;
        bytes.push(if number == 0 { low } else { low | 0x80 });
        if number == 0 {
            return bytes;
        }
    }
}
