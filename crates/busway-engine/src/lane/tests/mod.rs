mod case;
mod explore;
mod ghost;
mod searches;
mod store;
mod world;
