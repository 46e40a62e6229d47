//! How a state is written: what a hash map has comes in the order of its keys, so that equal states are equal bytes.

pub(super) mod sorted {
    use std::{
        collections::{BTreeMap, HashMap},
        hash::{BuildHasher, Hash},
    };

    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub(in crate::state) fn serialize<K, V, H, S>(
        map: &HashMap<K, V, H>,
        serializer: S,
    ) -> Result<S::Ok, S::Error>
    where
        K: Serialize + Ord,
        V: Serialize,
        S: Serializer,
    {
        map.iter().collect::<BTreeMap<_, _>>().serialize(serializer)
    }

    pub(in crate::state) fn deserialize<'de, K, V, H, D>(
        deserializer: D,
    ) -> Result<HashMap<K, V, H>, D::Error>
    where
        K: Deserialize<'de> + Hash + Eq,
        V: Deserialize<'de>,
        H: BuildHasher + Default,
        D: Deserializer<'de>,
    {
        HashMap::deserialize(deserializer)
    }
}

/// A live task's record, as backends store it.
pub(super) mod stored {
    use bytes::Bytes;
    use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
    use task_core::{Name, ResultMessage, TaskId};

    pub(in crate::state) fn serialize<S: Serializer>(
        record: &ResultMessage,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        (&record.queue, &record.id, Bytes::from(record.to_record())).serialize(serializer)
    }

    pub(in crate::state) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<ResultMessage, D::Error> {
        let (queue, id, record) = <(Name, TaskId, Bytes)>::deserialize(deserializer)?;
        ResultMessage::from_record(queue, id, &record).map_err(de::Error::custom)
    }
}
