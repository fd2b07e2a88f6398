"""Lists services and calls GetStatus through reflection v1alpha, knowing no .proto file: reflect.py ADDRESS"""

import sys

import grpc
from google.protobuf import json_format
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message_factory import GetMessageClass
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase

SERVICE = "lienthong.v1.NodeService"


def main(address):
    channel = grpc.insecure_channel(address)
    database = ProtoReflectionDescriptorDatabase(channel)
    for service in sorted(database.get_services()):
        print(service)
    method = DescriptorPool(database).FindServiceByName(SERVICE).methods_by_name["GetStatus"]
    call = channel.unary_unary(
        f"/{SERVICE}/{method.name}",
        request_serializer=lambda message: message.SerializeToString(),
        response_deserializer=GetMessageClass(method.output_type).FromString,
    )
    print(json_format.MessageToJson(call(GetMessageClass(method.input_type)(), timeout=30)))


if __name__ == "__main__":
    main(sys.argv[1])
