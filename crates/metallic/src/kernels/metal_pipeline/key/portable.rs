//! Keys in other processes: name, text and constants, from which they are made again.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{FunctionConstant, MetalFunction, MetalPipelineKey};

#[derive(Serialize, Deserialize)]
struct Function<Text> {
    name: Text,
    source: Text,
}

#[derive(Serialize, Deserialize)]
struct Key<F, C> {
    function: F,
    constants: C,
}

impl Serialize for MetalFunction {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Function { name: self.name(), source: self.source() }.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for MetalFunction {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Function::<String> { name, source } = Deserialize::deserialize(deserializer)?;
        Ok(Self::new(source, name))
    }
}

impl Serialize for MetalPipelineKey {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Key { function: self.function(), constants: self.constants() }.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for MetalPipelineKey {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Key::<MetalFunction, Vec<(u16, FunctionConstant)>> { function, constants } =
            Deserialize::deserialize(deserializer)?;
        // In the order of their indices, whatever the order there.
        Ok(Self::with_constants(function, constants))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_the_same_after_a_manifest_and_equal_keys_are_written_equally() {
        let function = || MetalFunction::new("kernel void scale() {}", "scale");
        let constants: [(u16, FunctionConstant); 4] =
            [(3, true.into()), (0, (-0.0_f32).into()), (2, 7_u32.into()), (1, (-7_i32).into())];
        let key = MetalPipelineKey::with_constants(function(), constants);
        let text = serde_json::to_string(&key).unwrap();
        assert_eq!(serde_json::from_str::<MetalPipelineKey>(&text).unwrap(), key);
        let mut other_order = constants;
        other_order.reverse();
        let same = MetalPipelineKey::with_constants(function(), other_order);
        assert_eq!(serde_json::to_string(&same).unwrap(), text);
        let other = MetalPipelineKey::with_constants(MetalFunction::new("other", "scale"), constants);
        assert_ne!(serde_json::to_string(&other).unwrap(), text);
        let unordered =
            text.replace(r#"[[0,{"F32":2147483648}],"#, "[").replace("}]]", r#"}],[0,{"F32":2147483648}]]"#);
        assert_ne!(unordered, text);
        assert_eq!(serde_json::from_str::<MetalPipelineKey>(&unordered).unwrap(), key);
    }
}
