//! The parts that every transformer is built from.

use super::weights::{Tensors, Weight};
use crate::error::Error;

/// The order of a linear layer's matrix in its file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layout {
    /// A row for each output, as PyTorch's `Linear` has it.
    OutIn,
    /// A row for each input, as GPT-2's `Conv1D` has it.
    InOut,
}

/// A linear layer: a matrix, and a number that is added to each output.
#[derive(Debug)]
pub struct Linear {
    /// The matrix.
    pub weight: Weight,
    /// A number for each output.
    pub bias: Weight,
    /// The order of the matrix.
    pub layout: Layout,
}

/// The gain and the bias of layer norm.
#[derive(Debug)]
pub struct Norm {
    /// A factor for each number.
    pub gain: Weight,
    /// The number added to each number afterwards.
    pub bias: Weight,
}

/// The linear layers of an attention.
#[derive(Debug)]
pub struct Attention {
    /// From a state to its query, its key and its value, side by side.
    pub input: Linear,
    /// From what the heads found to a state.
    pub output: Linear,
}

/// One layer: attention, then a feed-forward network, and a norm that belongs to each.
#[derive(Debug)]
pub struct Block {
    /// The attention.
    pub attention: Attention,
    /// The norm before it in a decoder, after it in an encoder.
    pub attention_norm: Norm,
    /// The first half of the feed-forward network.
    pub up: Linear,
    /// The second half of it.
    pub down: Linear,
    /// The norm before it in a decoder, after it in an encoder.
    pub inner_norm: Norm,
}

impl Linear {
    /// Numbers that go in.
    pub fn inputs(&self) -> usize {
        let at = if self.layout == Layout::OutIn { 1 } else { 0 };
        self.weight.shape()[at]
    }

    /// Numbers that come out.
    pub fn outputs(&self) -> usize {
        self.bias.data().len()
    }

    pub(super) fn take(
        tensors: &Tensors<'_>,
        name: &str,
        (inputs, outputs): (usize, usize),
        layout: Layout,
    ) -> Result<Self, Error> {
        let shape = if layout == Layout::OutIn { [outputs, inputs] } else { [inputs, outputs] };
        let weight = tensors.take(&format!("{name}.weight"), &shape)?;
        let bias = tensors.take(&format!("{name}.bias"), &[outputs])?;
        Ok(Self { weight, bias, layout })
    }

    /// Layers over the same inputs as one, whose outputs are theirs side by side. Each has a row for each output.
    pub(super) fn side_by_side(name: &str, layers: &[Self]) -> Self {
        let joined = |part: fn(&Self) -> &Weight| {
            layers.iter().flat_map(|layer| part(layer).data()).copied().collect()
        };
        let (inputs, outputs) = (layers[0].inputs(), layers.iter().map(Self::outputs).sum());
        Self {
            weight: Weight::new(format!("{name}.weight"), &[outputs, inputs], joined(|layer| &layer.weight)),
            bias: Weight::new(format!("{name}.bias"), &[outputs], joined(|layer| &layer.bias)),
            layout: Layout::OutIn,
        }
    }
}

impl Norm {
    pub(super) fn take(tensors: &Tensors<'_>, name: &str, width: usize) -> Result<Self, Error> {
        let gain = tensors.take(&format!("{name}.weight"), &[width])?;
        let bias = tensors.take(&format!("{name}.bias"), &[width])?;
        Ok(Self { gain, bias })
    }
}

impl Block {
    /// All tensors of the layer.
    pub(super) fn weights(&self) -> impl Iterator<Item = &Weight> {
        let linear = [&self.attention.input, &self.attention.output, &self.up, &self.down];
        let linear = linear.into_iter().flat_map(|linear| [&linear.weight, &linear.bias]);
        let norms = [&self.attention_norm, &self.inner_norm];
        linear.chain(norms.into_iter().flat_map(|norm| [&norm.gain, &norm.bias]))
    }
}
