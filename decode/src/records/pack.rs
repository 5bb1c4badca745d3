//! Writing msgpack: only the kinds that records files use.

/// Appends values to a buffer.
#[derive(Default)]
pub struct Packer {
    pub out: Vec<u8>,
}

impl Packer {
    pub fn int(&mut self, value: i64) {
        match value {
            0..=0x7f => self.out.push(value as u8),
            -32..=-1 => self.out.push(value as i8 as u8),
            0x80..=0xff => self.out.extend([0xcc, value as u8]),
            0x100..=0xffff => self.tagged(0xcd, &(value as u16).to_be_bytes()),
            0x1_0000..=0xffff_ffff => self.tagged(0xce, &(value as u32).to_be_bytes()),
            _ => self.tagged(0xd3, &value.to_be_bytes()),
        }
    }

    pub fn flag(&mut self, value: bool) {
        self.out.push(if value { 0xc3 } else { 0xc2 });
    }

    pub fn text(&mut self, value: &str) {
        match value.len() {
            length @ 0..=31 => self.out.push(0xa0 | length as u8),
            length @ 32..=0xff => self.out.extend([0xd9, length as u8]),
            length @ 0x100..=0xffff => self.tagged(0xda, &(length as u16).to_be_bytes()),
            length => self.tagged(0xdb, &(length as u32).to_be_bytes()),
        }
        self.out.extend(value.as_bytes());
    }

    /// At most 255 bytes.
    pub fn bytes(&mut self, value: &[u8]) {
        self.out.extend([0xc4, value.len() as u8]);
        self.out.extend(value);
    }

    pub fn array(&mut self, length: usize) {
        match length {
            0..=15 => self.out.push(0x90 | length as u8),
            16..=0xffff => self.tagged(0xdc, &(length as u16).to_be_bytes()),
            _ => self.tagged(0xdd, &(length as u32).to_be_bytes()),
        }
    }

    pub fn map(&mut self, length: usize) {
        match length {
            0..=15 => self.out.push(0x80 | length as u8),
            _ => self.tagged(0xde, &(length as u16).to_be_bytes()),
        }
    }

    fn tagged(&mut self, tag: u8, bytes: &[u8]) {
        self.out.push(tag);
        self.out.extend(bytes);
    }
}
