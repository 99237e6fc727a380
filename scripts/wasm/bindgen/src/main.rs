//! Binds a module to Node.js: `metallic-wasm-bindgen MODULE FOLDER`.

use std::env;

use wasm_bindgen_cli_support::Bindgen;

fn main() {
    let [module, folder] = env::args().skip(1).collect::<Vec<_>>().try_into().expect("a module and a folder");
    let mut bindgen = Bindgen::new();
    bindgen.nodejs(true).expect("no other target was chosen");
    bindgen
        .input_path(module)
        .typescript(false)
        .generate(folder)
        .expect("a module that cargo built can be bound");
}
